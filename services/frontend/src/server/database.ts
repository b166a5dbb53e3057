/** Connections to PostgreSQL. Better Auth's tables are in the schema `auth`, and nothing here uses another schema. */
import { Pool } from "pg";

export const AUTH_SCHEMA = "auth";

/**
 * Returns `url` with the meaning that it has for libpq and the other services: `sslmode=require` encrypts,
 * `verify-full` also checks the certificate. node-postgres alone treats every mode as `verify-full`, which fails with
 * the own CA of a managed database.
 */
export function asLibpq(url: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}uselibpqcompat=true`;
}

/**
 * Returns a pool whose connections use only the schema `auth`.
 *
 * The search path is sent as a start-up option, so `url` must point to PostgreSQL itself or to a session pooler.
 * `onIdleError` is called for connections that are lost while idle; without a listener Node would end the process.
 */
export function createPool(url: string, connections: number, onIdleError: (error: Error) => void): Pool {
  const pool = new Pool({
    max: connections,
    connectionString: asLibpq(url),
    options: `-c search_path=${AUTH_SCHEMA}`,
    application_name: "todo-frontend",
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  });
  pool.on("error", onIdleError);
  return pool;
}
