// @vitest-environment node
import { describe, expect, it, vi } from "vitest";

import { ApiClient } from "@/lib/api/client";
import { ProblemError, UnreachableError, userMessageOf } from "@/lib/api/errors";
import { TokenSource } from "@/lib/api/token-source";

import { aProblem, aToken } from "../fakes";

function aClient(...answers: readonly (Response | Error)[]) {
  let tokens = 0;
  const source = new TokenSource({
    userId: "ann",
    fetch: () => Promise.resolve(Response.json({ token: aToken(Date.now() + 900_000, String(++tokens)) })),
  });
  const send = vi.fn<typeof fetch>();
  for (const answer of answers) {
    if (answer instanceof Error) send.mockRejectedValueOnce(answer);
    else send.mockResolvedValueOnce(answer);
  }
  const authorizations = () => send.mock.calls.map(([, init]) => new Headers(init?.headers).get("authorization"));
  return { client: new ApiClient(source, send), send, authorizations };
}

describe("ApiClient", () => {
  it("sends the token in a header and never in the address", async () => {
    const { client, send, authorizations } = aClient(Response.json({ id: "1" }));
    expect(await client.request("GET", "/api/todos")).toEqual({ id: "1" });
    expect(authorizations()[0]).toMatch(/^Bearer ey/);
    expect(send.mock.calls[0]?.[0]).toBe("/api/todos");
  });

  it("answers undefined for 204", async () => {
    const { client } = aClient(new Response(null, { status: 204 }));
    expect(await client.request("DELETE", "/api/todos/1")).toBeUndefined();
  });

  it("sends the request again with another token when a token is refused", async () => {
    const { client, authorizations } = aClient(aProblem(401, "Expired."), Response.json("fine"));
    expect(await client.request("GET", "/api/todos")).toBe("fine");
    const [first, second] = authorizations();
    expect(second).not.toBe(first);
  });

  it("gives up when the second token is refused too", async () => {
    const { client, send } = aClient(aProblem(401, "No."), aProblem(401, "No."));
    await expect(client.request("GET", "/api/todos")).rejects.toMatchObject({ status: 401 });
    expect(send).toHaveBeenCalledTimes(2);
  });

  it("turns problem+json into an error with its details", async () => {
    const { client } = aClient(aProblem(422, "The title is empty."));
    const error: unknown = await client.request("POST", "/api/todos", { body: {} }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ProblemError);
    expect(error).toMatchObject({ status: 422, title: "Refused", requestId: "r-1" });
    expect(userMessageOf(error)).toBe("The title is empty.");
  });

  it("turns an error page that is not JSON, as of a proxy, into an error", async () => {
    const { client } = aClient(new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "x-request-id": "r-2" } }));
    const error: unknown = await client.request("GET", "/api/todos").catch((reason: unknown) => reason);
    expect(userMessageOf(error)).toBe("The server could not do this (reference r-2). Try again in a moment.");
  });

  it("throws UnreachableError when the server does not answer", async () => {
    const { client } = aClient(new TypeError("Failed to fetch"));
    await expect(client.request("GET", "/api/todos")).rejects.toThrow(UnreachableError);
  });
});
