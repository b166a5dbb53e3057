/** Connections to PostgreSQL. Better Auth's tables live in the schema `auth` and nothing here touches another one. */
import { Pool } from "pg";

export const AUTH_SCHEMA = "auth";

/**
 * `url` with the meaning it has for libpq and for the other services: `sslmode=require` encrypts, `verify-full` also asks
 * who answers. By itself node-postgres takes every mode for `verify-full`, which no managed database's own CA passes.
 */
export function asLibpq(url: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}uselibpqcompat=true`;
}

/**
 * A pool whose connections see only the schema `auth`.
 *
 * The search path travels as a start-up option, so `url` must lead to PostgreSQL itself or to a session pooler.
 * `onIdleError` hears of connections lost while idle; without a listener Node would end the process.
 */
export function createPool(url: string, onIdleError: (error: Error) => void): Pool {
  const pool = new Pool({
    connectionString: asLibpq(url),
    options: `-c search_path=${AUTH_SCHEMA}`,
    application_name: "todo-frontend",
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  });
  pool.on("error", onIdleError);
  return pool;
}
