/** The Content-Security-Policy of pages. */

/** Returns 128 random bits, as CSP requires of a nonce. */
export function createNonce(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/**
 * Returns the Content-Security-Policy of a page whose scripts have `nonce`.
 *
 * Everything comes from our own origin. `strict-dynamic` lets the scripts that have the nonce load Next's chunks; in
 * development React needs `eval` for its error overlay and Next injects styles.
 */
export function contentSecurityPolicy(nonce: string, isDevelopment = process.env.NODE_ENV === "development"): string {
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${isDevelopment ? " 'unsafe-eval'" : ""}`,
    `style-src 'self' ${isDevelopment ? "'unsafe-inline'" : `'nonce-${nonce}'`}`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}
