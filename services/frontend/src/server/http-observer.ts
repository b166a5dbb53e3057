/**
 * Counts, times and logs every HTTP request of the process, whatever part of Next answers it, by Node's diagnostics
 * channels. Gives each request an id, which is returned in `x-request-id`, and tells routes whether a proxy sent it.
 *
 * Metric names and labels are those of prometheus-fastapi-instrumentator, so that one alert rule covers all services.
 */
import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";

import { Counter, Histogram, type Registry } from "prom-client";

import type { Log } from "./log.ts";

/** Requested every few seconds by probes and Prometheus, so they are logged only at debug level. */
const PROBES = new Set(["/healthz", "/readyz", "/metrics"]);
const EXACT_HANDLERS = new Set(["/", "/sign-in", "/sign-up", "/api/health", ...PROBES]);
/** The header by which routes learn whether a proxy forwarded the request. Next adds `x-forwarded-for` to all of them. */
export const FROM_PROXY = "x-from-proxy";
const REQUEST_ID = /^[\w.-]{8,128}$/;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Returns the route of `path`, of which there are few: with a label per path, visitors could fill the memory. */
export function handlerOf(path: string): string {
  if (EXACT_HANDLERS.has(path)) return path;
  if (path.startsWith("/api/auth/")) return "/api/auth/[...all]";
  if (path.startsWith("/_next/")) return "/_next";
  return "none";
}

/** Starts observing; returns the function that stops it. */
export function observeHttp(registry: Registry, log: Log, now: () => number = () => performance.now()): () => void {
  const requests = new Counter({
    name: "http_requests_total",
    help: "Requests answered, by handler, method and class of status.",
    labelNames: ["handler", "method", "status"],
    registers: [registry],
  });
  const durations = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from request to finished response.",
    labelNames: ["handler", "method"],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  });
  const started = new WeakMap<IncomingMessage, number>();

  const onStart = (message: unknown) => {
    const { request, response } = message as Exchange;
    started.set(request, now());
    const given = request.headers["x-request-id"];
    const id = typeof given === "string" && REQUEST_ID.test(given) ? given : crypto.randomUUID();
    request.headers["x-request-id"] = id;
    request.headers[FROM_PROXY] = String(request.headers["x-forwarded-for"] !== undefined);
    response.setHeader("x-request-id", id);
  };

  const onFinish = (message: unknown) => {
    const { request, response } = message as Exchange;
    const startedAt = started.get(request);
    if (startedAt === undefined) return;
    const seconds = (now() - startedAt) / 1000;
    // Without the query, which may contain what a user wrote.
    const [path = "/"] = (request.url ?? "/").split("?");
    const handler = handlerOf(path);
    const method = request.method ?? "GET";
    requests.inc({ handler, method, status: `${Math.floor(response.statusCode / 100)}xx` });
    durations.observe({ handler, method }, seconds);
    log(PROBES.has(path) ? "debug" : "info", "http_request", {
      request_id: request.headers["x-request-id"] as string,
      trace_id: traceIdOf(request.headers["traceparent"]),
      method,
      path,
      status: response.statusCode,
      duration_ms: Math.round(seconds * 1000),
    });
  };

  diagnostics.subscribe("http.server.request.start", onStart);
  diagnostics.subscribe("http.server.response.finish", onFinish);
  return () => {
    diagnostics.unsubscribe("http.server.request.start", onStart);
    diagnostics.unsubscribe("http.server.response.finish", onFinish);
  };
}

/** Returns the trace id of a W3C `traceparent` header (version-traceid-parentid-flags). */
function traceIdOf(traceparent: string | string[] | undefined): string | undefined {
  return typeof traceparent === "string" ? traceparent.split("-")[1] : undefined;
}
