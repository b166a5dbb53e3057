// @vitest-environment node
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { decodeJwt, decodeProtectedHeader } from "jose";
import type { Pool } from "pg";
import { describe, expect, it, vi } from "vitest";

import { authOptions } from "@/server/auth-options";
import { ATTEMPTS } from "@/server/sign-in-limit";

const CREDENTIALS = { email: "ada@example.com", password: "correct horse" };

/** The accounts of the application, with tables in memory; `send` posts JSON as a browser does from our own page. */
function accountsAt(url: string) {
  const log = vi.fn();
  const environment = { BETTER_AUTH_URL: url, BETTER_AUTH_SECRET: "0123456789abcdef0123456789abcdef" };
  const options = authOptions(environment, null as unknown as Pool, log);
  const tables = { user: [], session: [], account: [], verification: [], jwks: [], rateLimit: [] };
  const auth = betterAuth({
    ...options,
    database: memoryAdapter(tables),
    // By default enabled only in production.
    rateLimit: { ...options.rateLimit, enabled: true },
  });
  const send = (path: string, body?: object, headers: Record<string, string> = {}) =>
    auth.handler(
      new Request(`${url}/api/auth${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: { origin: url, "content-type": "application/json", "x-forwarded-for": "203.0.113.7", ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    );
  return { send, log };
}

async function signUp(url: string) {
  const { send, log } = accountsAt(url);
  const response = await send("/sign-up/email", { name: "Ada", ...CREDENTIALS });
  expect(response.status).toBe(200);
  const cookie = response.headers.get("set-cookie") ?? "";
  return { send, log, cookie };
}

describe("accounts", () => {
  it("issue tokens that contain only the id of the user", async () => {
    const { send, cookie } = await signUp("https://todo.example.com");
    const { token } = (await (await send("/token", undefined, { cookie })).json()) as { token: string };
    const claims = decodeJwt(token);
    expect(Object.keys(claims).toSorted()).toEqual(["aud", "exp", "iat", "iss", "sub"]);
    expect(claims).toMatchObject({ iss: "https://todo.example.com", aud: ["todo-api", "todo-mcp"] });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(15 * 60);
    expect(decodeProtectedHeader(token).alg).toBe("EdDSA");
  });

  it("publish the key that tokens are signed with", async () => {
    const { send, cookie } = await signUp("https://todo.example.com");
    const { token } = (await (await send("/token", undefined, { cookie })).json()) as { token: string };
    const { keys } = (await (await send("/jwks")).json()) as { keys: unknown[] };
    expect(keys).toEqual([expect.objectContaining({ kid: decodeProtectedHeader(token).kid, crv: "Ed25519" })]);
    expect(keys[0]).not.toHaveProperty("d");
  });

  it("issue no token without a session", async () => {
    const { send } = accountsAt("https://todo.example.com");
    expect((await send("/token")).status).toBe(401);
  });

  it.each([
    ["https://todo.example.com", true],
    ["http://localhost:8080", false],
  ])("set a session cookie as required for %s", async (url, isSecure) => {
    const { cookie } = await signUp(url);
    expect(cookie).toMatch(/HttpOnly; (Secure; )?SameSite=Lax/);
    expect(cookie.includes("Secure;")).toBe(isSecure);
    expect(cookie.startsWith("__Secure-")).toBe(isSecure);
  });

  it("refuse the fourth attempt to sign in within ten seconds, and say how long to wait", async () => {
    const { send } = accountsAt("https://todo.example.com");
    const statuses: number[] = [];
    for (let attempt = 1; attempt <= 3; attempt++) statuses.push((await send("/sign-in/email", CREDENTIALS)).status);
    expect(statuses).toEqual([401, 401, 401]);
    const refused = await send("/sign-in/email", CREDENTIALS);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("x-retry-after"))).toBeGreaterThan(0);
  });

  it.each([
    ["/jwks", "203.0.113.7"],
    ["/jwks", ""], // the services have no address
    ["/token", "203.0.113.7"],
    ["/get-session", "203.0.113.7"],
  ])("never limit who reads %s from the address '%s'", async (path, address) => {
    const { send, cookie } = await signUp("https://todo.example.com");
    const headers = { cookie, "x-forwarded-for": address };
    const answers = await Promise.all(Array.from({ length: 150 }, () => send(path, undefined, headers)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });

  it("refuse more than ten attempts to sign in to an account, from whatever addresses, and spare other accounts", async () => {
    const { send } = accountsAt("https://todo.example.com");
    vi.spyOn(Date, "now").mockReturnValue(1_000 * 300_000);
    const attempt = (number: number, email: string) =>
      send("/sign-in/email", { ...CREDENTIALS, email }, { "x-forwarded-for": `198.51.100.${number}` });
    const statuses: number[] = [];
    for (let number = 1; number <= ATTEMPTS; number++) {
      statuses.push((await attempt(number, number % 2 ? CREDENTIALS.email : "ADA@example.com")).status);
    }
    expect(new Set(statuses)).toEqual(new Set([401]));
    const refused = await attempt(50, CREDENTIALS.email);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("x-retry-after")).toBe("300");
    expect((await attempt(51, "bob@example.com")).status).toBe(401);
    vi.spyOn(Date, "now").mockReturnValue(1_001 * 300_000);
    expect((await attempt(52, CREDENTIALS.email)).status).toBe(401);
  });

  it("apply the limit also to a list of forwarded addresses", async () => {
    const { send, log } = accountsAt("https://todo.example.com");
    const statuses: number[] = [];
    for (let attempt = 1; attempt <= 4; attempt++) {
      const chain = { "x-forwarded-for": `198.51.100.${attempt}, 203.0.113.7` };
      statuses.push((await send("/sign-in/email", CREDENTIALS, chain)).status);
    }
    expect(statuses[3]).toBe(429);
    expect(log).toHaveBeenCalledWith("warning", "auth", expect.anything());
  });

  it("let a user delete their account", async () => {
    const { send, cookie } = await signUp("https://todo.example.com");
    expect((await send("/delete-user", { password: CREDENTIALS.password }, { cookie })).status).toBe(200);
    expect((await send("/token", undefined, { cookie })).status).toBe(401);
  });

  it("log a failure without the e-mail address of the attempt", async () => {
    const { send, log } = accountsAt("https://todo.example.com");
    await send("/sign-in/email", CREDENTIALS);
    expect(log).toHaveBeenCalledWith("warning", "auth", { detail: "User not found" });
    expect(JSON.stringify(log.mock.calls)).not.toContain("ada@");
  });
});
