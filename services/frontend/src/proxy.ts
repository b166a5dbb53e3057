/**
 * Runs before every page: sends visitors without a session cookie to the sign-in page and gives each page its
 * Content-Security-Policy. Whether the session is valid is decided where data is read, not here.
 */
import { getSessionCookie } from "better-auth/cookies";
import { type NextRequest, NextResponse } from "next/server";

import { contentSecurityPolicy, createNonce } from "./server/content-security-policy.ts";

const OPEN_PAGES = new Set(["/sign-in", "/sign-up"]);

export function proxy(request: NextRequest): NextResponse {
  if (!OPEN_PAGES.has(request.nextUrl.pathname) && getSessionCookie(request) === null) {
    return NextResponse.redirect(new URL("/sign-in", request.url));
  }
  const nonce = createNonce();
  const policy = contentSecurityPolicy(nonce);
  // Next reads the nonce from the request's policy and adds it to its own scripts.
  const headers = new Headers(request.headers);
  headers.set("Content-Security-Policy", policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("Content-Security-Policy", policy);
  return response;
}

export const config = {
  /**
   * Every path, so that a new page is protected without being listed, except what is not a page: `/api/…` (accounts and
   * health), the probes `/healthz`, `/readyz`, `/metrics`, `/_next/…` and files (a last segment with an extension).
   * Redirecting any of them makes a pod unready or a page without styles. Next requires a literal.
   */
  matcher: ["/((?!api(?:/|$)|_next(?:/|$)|healthz$|readyz$|metrics$|(?:.*/)?[^/]+\\.[A-Za-z0-9]+$).*)"],
};
