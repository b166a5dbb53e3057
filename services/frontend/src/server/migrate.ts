/** Creates the tables of Better Auth; safe to run again, and by several processes at the same time. */
import { getMigrations } from "better-auth/db/migration";
import { Client } from "pg";

import { authOptions } from "./auth-options.ts";
import { asLibpq, AUTH_SCHEMA, createPool } from "./database.ts";
import type { Environment } from "./environment.ts";
import { describeError, type Log } from "./log.ts";

/** The advisory lock of the frontend's migration, which no other service of the database uses. */
const ADVISORY_LOCK = 7_363_201_001;

export interface MigrationResult {
  /** Names of the tables that were created; empty when there was nothing to do. */
  readonly created: readonly string[];
  /** Names of the tables that got further columns. */
  readonly extended: readonly string[];
}

/**
 * Creates the schema `auth` and what is missing in it, while holding an advisory lock: a second run at the same time
 * waits and then has nothing to do.
 */
export async function migrate(environment: Environment, log: Log): Promise<MigrationResult> {
  const guard = new Client({ connectionString: asLibpq(environment.DATABASE_URL), application_name: "todo-frontend-migrate" });
  await guard.connect();
  const pool = createPool(environment.DATABASE_URL, 1, (error) => {
    log("warning", "database_connection_lost", describeError(error));
  });
  try {
    // Session-level, so PostgreSQL releases it with the connection even if this process is killed.
    await guard.query("select pg_advisory_lock($1)", [ADVISORY_LOCK]);
    await createSchema(guard);
    const { toBeCreated, toBeAdded, runMigrations } = await getMigrations(authOptions(environment, pool, log));
    await runMigrations();
    return { created: toBeCreated.map(({ table }) => table), extended: toBeAdded.map(({ table }) => table) };
  } finally {
    await pool.end();
    await guard.end();
  }
}

/** Checks first, because `create schema if not exists` needs the right to create even when the schema exists. */
async function createSchema(client: Client): Promise<void> {
  const { rowCount } = await client.query("select 1 from pg_namespace where nspname = $1", [AUTH_SCHEMA]);
  if (rowCount === 0) await client.query(`create schema ${AUTH_SCHEMA}`);
}
