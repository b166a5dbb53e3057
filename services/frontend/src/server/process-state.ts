/**
 * The state of the server process, which exists once. Next compiles instrumentation and routes as separate entry
 * points, each of which may get its own copy of a module, so shared state is kept on `globalThis`.
 */
import { Registry } from "prom-client";
import type { Pool } from "pg";

import { createPool } from "./database.ts";
import { environment } from "./environment.ts";
import { createLog, type Log } from "./log.ts";

interface ProcessState {
  readonly log: Log;
  readonly pool: Pool;
  readonly registry: Registry;
  /** Set at SIGTERM: the process is unready, and still answers. */
  isDraining: boolean;
}

declare global {
  var todoFrontend: ProcessState | undefined;
}

/** Returns the state of this process, which is created on first use. */
export function processState(): ProcessState {
  return (globalThis.todoFrontend ??= createState());
}

function createState(): ProcessState {
  const { DATABASE_URL, DATABASE_CONNECTIONS, LOG_LEVEL } = environment();
  const log = createLog(LOG_LEVEL, (line) => process.stdout.write(line));
  const pool = createPool(DATABASE_URL, DATABASE_CONNECTIONS, (error) => {
    // The code, not the message: a driver's message may name the host and user of the connection string.
    log("warning", "database_connection_lost", { error: error.name, code: (error as { code?: string }).code });
  });
  return { log, pool, registry: new Registry(), isDraining: false };
}
