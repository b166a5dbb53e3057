/** Connections to PostgreSQL. Better Auth's tables live in the schema `auth` and nothing here touches another one. */
import { Pool } from "pg";

export const AUTH_SCHEMA = "auth";

/**
 * A pool whose connections see only the schema `auth`.
 *
 * The search path travels as a start-up option, so `url` must lead to PostgreSQL itself or to a session pooler.
 * `onIdleError` hears of connections lost while idle; without a listener Node would end the process.
 */
export function createPool(url: string, onIdleError: (error: Error) => void): Pool {
  const pool = new Pool({
    connectionString: url,
    options: `-c search_path=${AUTH_SCHEMA}`,
    application_name: "todo-frontend",
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  });
  pool.on("error", onIdleError);
  return pool;
}
