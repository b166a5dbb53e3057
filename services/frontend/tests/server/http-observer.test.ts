// @vitest-environment node
import http from "node:http";
import type { AddressInfo } from "node:net";

import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { FROM_PROXY, handlerOf, observeHttp } from "@/server/http-observer";
import type { LogFields } from "@/server/log";

const log = vi.fn();
let registry: Registry;
let server: http.Server;
let origin: string;
let stop: () => void;

beforeEach(async () => {
  log.mockReset();
  registry = new Registry();
  stop = observeHttp(registry, log);
  server = http.createServer((request, response) => {
    response.statusCode = request.url === "/broken" ? 500 : 200;
    response.setHeader("seen-from-proxy", String(request.headers[FROM_PROXY]));
    response.end(request.headers["x-request-id"]);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  stop();
  await new Promise((resolve) => server.close(resolve));
});

/** Sends a request and waits until it is logged, which happens after the answer was sent. */
async function send(path: string, headers: Record<string, string> = {}): Promise<[Response, string, LogFields]> {
  const response = await fetch(origin + path, { headers });
  const body = await response.text();
  await vi.waitFor(() => { expect(log).toHaveBeenCalledOnce(); });
  return [response, body, (log.mock.calls[0] as [string, string, LogFields])[2]];
}

describe("observeHttp", () => {
  it("gives a request an id that the handler, the client and the log see", async () => {
    const [response, body, fields] = await send("/sign-in");
    expect(body).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get("x-request-id")).toBe(body);
    expect(fields["request_id"]).toBe(body);
  });

  it("keeps the id of the ingress, and replaces an id that could forge log lines", async () => {
    const [, kept] = await send("/", { "x-request-id": "0123abcd-ingress" });
    expect(kept).toBe("0123abcd-ingress");
    log.mockReset();
    const [, replaced] = await send("/", { "x-request-id": '"},{"level":"error"' });
    expect(replaced).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    ["a proxy's request", { "x-forwarded-for": "198.51.100.7", [FROM_PROXY]: "false" }, "true"],
    ["a request to the pod itself", {}, "false"],
  ])("tells routes of %s, whatever the sender claims", async (_, headers, expected) => {
    const [response] = await send("/metrics", headers);
    expect(response.headers.get("seen-from-proxy")).toBe(expected);
  });

  it("logs request and result without the query", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const [, , fields] = await send("/sign-in?email=ada@example.com", { traceparent });
    expect(fields).toMatchObject({
      method: "GET",
      path: "/sign-in",
      status: 200,
      trace_id: "0af7651916cd43dd8448eb211c80319c",
    });
    expect(JSON.stringify(fields)).not.toContain("ada@");
  });

  it("logs probes only for debugging", async () => {
    await send("/readyz");
    expect(log.mock.calls[0]?.[0]).toBe("debug");
  });

  it("counts by class of status, with the metric names of all services", async () => {
    await send("/broken");
    const metrics = await registry.metrics();
    expect(metrics).toContain('http_requests_total{handler="none",method="GET",status="5xx"} 1');
    expect(metrics).toContain('http_request_duration_seconds_count{handler="none",method="GET"} 1');
  });
});

describe("handlerOf", () => {
  it.each([
    ["/", "/"],
    ["/readyz", "/readyz"],
    ["/api/auth/sign-in/email", "/api/auth/[...all]"],
    ["/_next/static/chunks/1.js", "/_next"],
    ["/wp-admin/setup.php", "none"],
  ])("maps %s to %s, so that visitors cannot add labels", (path, handler) => {
    expect(handlerOf(path)).toBe(handler);
  });
});
