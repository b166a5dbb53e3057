/** Starts metrics, logs and the handling of SIGTERM when the server process starts. */
import { stripVTControlCharacters } from "node:util";

import { collectDefaultMetrics } from "prom-client";

import { EnvironmentError, environment } from "./environment.ts";
import { observeHttp } from "./http-observer.ts";
import { type Log, type LogLevel, createLog, describeError } from "./log.ts";
import { processState } from "./process-state.ts";
import { createShutdown } from "./shutdown.ts";

/**
 * Starts metrics, logs and the handling of signals.
 *
 * Ends the process when the environment is invalid: Next would go on and answer every request with 500.
 */
export function startProcess(): void {
  const state = stateOrExit();
  redirectConsole(state.log);
  collectDefaultMetrics({ register: state.registry });
  observeHttp(state.registry, state.log);
  const { SHUTDOWN_DELAY_SECONDS, DRAIN_SECONDS } = environment();
  const shutDown = createShutdown({
    delayMs: SHUTDOWN_DELAY_SECONDS * 1_000,
    drainMs: DRAIN_SECONDS * 1_000,
    onStart: () => {
      state.isDraining = true;
      state.log("info", "draining");
    },
    exit: () => process.exit(0),
  });
  process.on("SIGTERM", shutDown);
  process.on("SIGINT", shutDown);
}

function stateOrExit() {
  try {
    return processState();
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    const log = createLog("error", (line) => process.stdout.write(line));
    log("error", "environment_unusable", { detail: error.message });
    process.exit(1);
  }
}

const consoleLevels = { debug: "debug", log: "info", info: "info", warn: "warning", error: "error" } as const;

/**
 * Turns the output of Next and libraries into JSON lines. Of an error only its name and message are logged, because a
 * complete error of the database driver contains the row, e-mail address included.
 */
export function redirectConsole(log: Log, target: Console = console): void {
  for (const [method, level] of Object.entries(consoleLevels) as [keyof typeof consoleLevels, LogLevel][]) {
    target[method] = (...values: unknown[]) => { log(level, "console", { detail: values.map(textOf).join(" ") }); };
  }
}

function textOf(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === "string" ? stripVTControlCharacters(value).trim() : `[${typeof value}]`;
}

interface FailedRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Logs an error that a page or route did not catch. */
export function logRequestError(error: unknown, request: FailedRequest, route: string): void {
  const id = request.headers["x-request-id"];
  processState().log("error", "request_failed", {
    ...describeError(error),
    ...(typeof id === "string" && { request_id: id }),
    method: request.method,
    route,
  });
}
