import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

import type { NextConfig } from "next";

/**
 * Headers that are right for every response whatever the environment.
 *
 * The Content-Security-Policy is not among them: it carries a nonce for each page and is set in `src/proxy.ts`.
 * Strict-Transport-Security belongs to the ingress, which is the one that knows whether there is TLS.
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
  // One registry of metrics in the process: bundled, each entry point would get its own copy.
  serverExternalPackages: ["prom-client"],
  // No page shows a picture that would need resizing; so no endpoint that does, and not its 18 MB library either.
  images: { unoptimized: true },
  outputFileTracingExcludes: { "*": ["node_modules/sharp/**", "node_modules/@img/**", "node_modules/@emnapi/**"] },
  poweredByHeader: false,
  reactStrictMode: true,
  typedRoutes: true,
  headers: () => Promise.resolve([{ source: "/:path*", headers: securityHeaders }]),
};

export default config;
