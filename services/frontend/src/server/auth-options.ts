/** How accounts, sessions and tokens work; shared by the server and by the migration, which derives the tables. */
import type { BetterAuthOptions } from "better-auth";
import { jwt } from "better-auth/plugins/jwt";
import type { Pool } from "pg";

import type { Environment } from "./environment.ts";
import type { Log, LogLevel } from "./log.ts";
import { signInLimit } from "./sign-in-limit.ts";

/** Who accepts our tokens: the HTTP services, and the MCP server, which must be named on its own (spec 2026-07-28). */
const TOKEN_AUDIENCE = ["todo-api", "todo-mcp"];

/**
 * What many may read from one address: public keys, by the services and the clients of the MCP server, and what belongs
 * to a session, which nobody can guess. The window of a limit slides, so a busy office would be refused again and again.
 */
const UNLIMITED = { "/jwks": false, "/token": false, "/get-session": false } as const;

type AuthEnvironment = Pick<Environment, "BETTER_AUTH_URL" | "BETTER_AUTH_SECRET">;

/** Options of Better Auth for `environment`, without `nextCookies`, which only the server needs and must come last. */
export function authOptions(environment: AuthEnvironment, database: Pool, log: Log) {
  return {
    appName: "Todo",
    baseURL: environment.BETTER_AUTH_URL,
    secret: environment.BETTER_AUTH_SECRET,
    database,
    emailAndPassword: { enabled: true },
    user: { deleteUser: { enabled: true } },
    // In the database, because a limit in memory is a limit per replica.
    rateLimit: { storage: "database", customRules: UNLIMITED },
    advanced: {
      // A single address, set by the ingress. A list of addresses is not trusted, because clients could forge it.
      ipAddress: { ipAddressHeaders: ["x-forwarded-for"] },
    },
    telemetry: { enabled: false },
    // Only the message: Better Auth's further arguments may hold an e-mail address.
    logger: { log: (level, message) => { log(levels[level], "auth", { detail: message }); } },
    plugins: [
      signInLimit(),
      jwt({
        // Tokens are requested at /token; without this, each read of the session would sign another one.
        disableSettingJwtHeader: true,
        jwks: { keyPairConfig: { alg: "EdDSA", crv: "Ed25519" } },
        jwt: {
          issuer: environment.BETTER_AUTH_URL,
          audience: TOKEN_AUDIENCE,
          expirationTime: "15m",
          // No data of the user except the subject: tokens pass through five services and their logs.
          definePayload: () => ({}),
        },
      }),
    ],
  } satisfies BetterAuthOptions;
}

const levels: Record<"debug" | "info" | "warn" | "error", LogLevel> = {
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
};
