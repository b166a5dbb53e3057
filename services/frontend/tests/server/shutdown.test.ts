// @vitest-environment node
import { once } from "node:events";
import http, { type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, expect, it, vi } from "vitest";

import { createShutdown } from "@/server/shutdown";

let server: Server;
let answer: (() => void) | undefined;

afterEach(() => { server.closeAllConnections(); });

/** Starts a server whose `/slow` waits for `answer`, and returns its URL. */
async function start(): Promise<string> {
  server = http.createServer((request, response) => {
    const end = () => { response.end("done"); };
    if (request.url === "/slow") answer = end;
    else end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function shutdown(delayMs: number, drainMs = 5_000) {
  const onStart = vi.fn();
  const exit = vi.fn();
  return { signal: createShutdown({ delayMs, drainMs, onStart, exit }), onStart, exit };
}

it("answers every request until the delay is over, and asks for another connection each time", async () => {
  const { signal, onStart, exit } = shutdown(300);
  const url = await start();
  expect((await fetch(url)).headers.get("connection")).toBe("keep-alive");
  signal();
  expect(onStart).toHaveBeenCalledOnce();
  const end = performance.now() + 200;
  while (performance.now() < end) {
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(response.headers.get("connection")).toBe("close");
    expect(exit).not.toHaveBeenCalled();
  }
  await vi.waitFor(() => { expect(exit).toHaveBeenCalled(); });
  await expect(fetch(url)).rejects.toThrow();
});

it("finishes a request that is open when the delay ends", async () => {
  const { signal, exit } = shutdown(0);
  const url = await start();
  const response = fetch(`${url}/slow`);
  await vi.waitFor(() => { expect(answer).toBeDefined(); });
  signal();
  await vi.waitFor(() => { expect(server.listening).toBe(false); });
  expect(exit).not.toHaveBeenCalled();
  answer?.();
  expect(await (await response).text()).toBe("done");
  await vi.waitFor(() => { expect(exit).toHaveBeenCalled(); });
});

it("exits although a request does not end", async () => {
  const { signal, exit } = shutdown(0, 50);
  const url = await start();
  const response = fetch(`${url}/slow`).catch(() => undefined);
  await vi.waitFor(() => { expect(answer).toBeDefined(); });
  signal();
  await vi.waitFor(() => { expect(exit).toHaveBeenCalled(); });
  server.closeAllConnections();
  await response;
});

it("ends the delay at the second signal", async () => {
  const { signal, onStart, exit } = shutdown(60_000);
  await fetch(await start());
  signal();
  signal();
  await vi.waitFor(() => { expect(exit).toHaveBeenCalled(); });
  expect(onStart).toHaveBeenCalledOnce();
});
