import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

import type { NextConfig } from "next";

/**
 * Headers for every response in every environment.
 *
 * The Content-Security-Policy is not one of them: it has a nonce for each page and is set in `src/proxy.ts`.
 * Strict-Transport-Security is set by the ingress, which knows whether there is TLS.
 */
const securityHeaders = [
  { key: "X-Content-Type-Options", value: "nosniff" },
  { key: "X-Frame-Options", value: "DENY" },
  { key: "Referrer-Policy", value: "same-origin" },
  { key: "Cross-Origin-Opener-Policy", value: "same-origin" },
  { key: "Permissions-Policy", value: "camera=(), geolocation=(), microphone=(), payment=(), usb=()" },
];

const here = dirname(fileURLToPath(import.meta.url));

const config: NextConfig = {
  output: "standalone",
  // Without it Next looks upwards for lock files and may place server.js in a subfolder of the standalone tree.
  outputFileTracingRoot: here,
  turbopack: { root: here },
  // The process needs a single registry of metrics; bundled, each entry point would get its own copy.
  serverExternalPackages: ["prom-client"],
  // No page shows an image that needs resizing, so neither the endpoint for it nor its 18 MB library is included.
  images: { unoptimized: true },
  outputFileTracingExcludes: { "*": ["node_modules/sharp/**", "node_modules/@img/**", "node_modules/@emnapi/**"] },
  poweredByHeader: false,
  reactStrictMode: true,
  typedRoutes: true,
  headers: () => Promise.resolve([{ source: "/:path*", headers: securityHeaders }]),
};

export default config;
