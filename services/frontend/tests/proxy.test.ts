// @vitest-environment node
import { unstable_doesMiddlewareMatch as doesProxyMatch } from "next/experimental/testing/server";
import { NextRequest } from "next/server";
import { describe, expect, it } from "vitest";

import { config, proxy } from "@/proxy";

const COOKIE = "better-auth.session_token=value.signature";

function request(path: string, cookie?: string): NextRequest {
  return new NextRequest(`http://localhost:8080${path}`, cookie === undefined ? {} : { headers: { cookie } });
}

describe("matcher", () => {
  it.each([
    "/api/health", "/api", "/api/auth/token", "/api/auth/sign-in/email", "/api/auth/jwks", "/api/todos",
    "/healthz", "/readyz", "/metrics",
    "/_next/static/chunks/main.js", "/_next/image", "/_next/data/build/index.json",
    "/icon.svg", "/favicon.ico", "/robots.txt", "/fonts/figtree.woff2",
  ])("never runs for %s", (url) => {
    // A redirect here makes a pod unready, a sign-in impossible or a page without styles.
    expect(doesProxyMatch({ config, url })).toBe(false);
  });

  it.each(["/", "/sign-in", "/sign-up", "/settings", "/tasks/1", "/apiary", "/healthz/more", "/metrics-board", "/_nextish"])(
    "runs for the page %s, also one that does not exist yet",
    (url) => {
      expect(doesProxyMatch({ config, url })).toBe(true);
    },
  );
});

describe("proxy", () => {
  it.each(["/", "/settings", "/tasks/1"])("sends a visitor without a session cookie from %s to the sign-in page", (path) => {
    const response = proxy(request(path));
    expect(response.status).toBe(307);
    expect(response.headers.get("location")).toBe("http://localhost:8080/sign-in");
  });

  it.each(["/sign-in", "/sign-up"])("lets a visitor see %s", (path) => {
    expect(proxy(request(path)).headers.get("x-middleware-next")).toBe("1");
  });

  it.each([COOKIE, `__Secure-${COOKIE}`])("shows the page to a visitor with the cookie %s, as set over http and https", (cookie) => {
    expect(proxy(request("/", cookie)).headers.get("x-middleware-next")).toBe("1");
  });

  it("gives each page a policy with its own nonce, which the page is rendered with", () => {
    const [first, second] = [proxy(request("/", COOKIE)), proxy(request("/", COOKIE))];
    const policy = first.headers.get("content-security-policy");
    expect(policy).toMatch(/script-src 'self' 'nonce-[0-9a-f]{32}' 'strict-dynamic';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(first.headers.get("x-middleware-request-content-security-policy")).toBe(policy);
    expect(second.headers.get("content-security-policy")).not.toBe(policy);
  });
});
