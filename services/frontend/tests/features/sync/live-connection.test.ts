// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { LiveConnection, SILENCE_MS } from "@/features/sync/live-connection";
import type { LiveEvent } from "@/features/sync/live-events";
import { SignedOutError } from "@/lib/api/errors";

import { aTask } from "../../fakes";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

/** An open stream of a gateway: the request of the client, and functions that send to it. */
class Stream {
  readonly headers: Headers;
  readonly response: Response;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  isClosedByClient = false;

  constructor(init: RequestInit) {
    this.headers = new Headers(init.headers);
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => { this.#controller = controller; },
      cancel: () => { this.isClosedByClient = true; },
    });
    init.signal?.addEventListener("abort", () => {
      this.isClosedByClient = true;
      this.#controller.error(init.signal?.reason);
    });
    this.response = new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  async send(text: string): Promise<void> {
    this.#controller.enqueue(new TextEncoder().encode(text));
    await settle();
  }

  async end(): Promise<void> {
    this.#controller.close();
    await settle();
  }

  async break(): Promise<void> {
    this.#controller.error(new TypeError("network error"));
    await settle();
  }
}

/** Lets promises settle without advancing the clock. */
async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

/** A connection to a gateway that accepts every request, unless `refusals` contains an answer. */
function connect() {
  const streams: Stream[] = [];
  const refusals: (() => Promise<Response>)[] = [];
  const events: LiveEvent[] = [];
  const onGap = vi.fn();
  const tokens = { get: vi.fn(() => Promise.resolve("token")), invalidate: vi.fn() };
  const send = vi.fn((_url: unknown, init: RequestInit = {}): Promise<Response> => {
    const refusal = refusals.shift();
    if (refusal !== undefined) return refusal();
    if (init.signal?.aborted) return Promise.reject(new DOMException("Aborted", "AbortError")); // nothing is sent
    const stream = new Stream(init);
    streams.push(stream);
    return Promise.resolve(stream.response);
  });
  const connection = new LiveConnection({
    url: "/sse/tasks",
    tokens,
    onEvent: (event) => events.push(event),
    onGap,
    fetch: send,
    random: () => 0.999_999,
  });
  const last = (): Stream => {
    const stream = streams.at(-1);
    if (stream === undefined) throw new Error("No stream has been opened");
    return stream;
  };
  return { connection, streams, refusals, events, onGap, tokens, send, last, stop: connection.start() };
}

const TASK = aTask();
const CHANGE = `event: sync.task-changed\ndata: ${JSON.stringify({ task_id: TASK.id, task: TASK })}\n\n`;
const REFUSED = () => Promise.reject(new TypeError("Failed to fetch"));

describe("LiveConnection", () => {
  it("sends the token in a header, and is live once the gateway accepts", async () => {
    const { connection, last, send } = connect();
    expect(connection.status()).toBe("connecting");
    await settle();
    expect(connection.status()).toBe("live");
    expect(send.mock.calls[0]?.[0]).toBe("/sse/tasks");
    expect(last().headers.get("authorization")).toBe("Bearer token");
    expect(last().headers.has("last-event-id")).toBe(false);
  });

  it("passes on events, also when an event arrives in pieces", async () => {
    const { last, events } = connect();
    await settle();
    await last().send(`retry: 1000\n\n: connected\n\nid: 1\n${CHANGE.slice(0, 30)}`);
    expect(events).toEqual([]);
    await last().send(CHANGE.slice(30));
    expect(events).toEqual([{ kind: "task", change: { kind: "saved", task: TASK } }]);
  });

  it("requires a reload when it connects without a position", async () => {
    const { onGap } = connect();
    await settle();
    expect(onGap).toHaveBeenCalledTimes(1);
  });

  it("resumes after the last event it saw, without a reload", async () => {
    const { last, streams, onGap } = connect();
    await settle();
    await last().send(`id: 41\n${CHANGE}id: 42\n${CHANGE}`);
    await last().break();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(streams).toHaveLength(2);
    expect(last().headers.get("last-event-id")).toBe("42");
    expect(onGap).toHaveBeenCalledTimes(1);
  });

  it("requires a reload when the gateway cannot replay the gap, and does not request that replay again", async () => {
    const { last, onGap } = connect();
    await settle();
    await last().send(`id: 41\n${CHANGE}`);
    await last().send("event: sync.reset\ndata: {}\n\n");
    expect(onGap).toHaveBeenCalledTimes(2);
    await last().break();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(last().headers.has("last-event-id")).toBe(false);
  });

  it("reconnects after bye within the pause that the gateway set", async () => {
    const { connection, last, streams } = connect();
    await settle();
    await last().send("retry: 4000\n\nevent: bye\ndata: {}\n\n");
    expect(streams[0]?.isClosedByClient).toBe(true);
    expect(connection.status()).toBe("connecting");
    await vi.advanceTimersByTimeAsync(3_900);
    expect(streams).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(100);
    expect(streams).toHaveLength(2);
  });

  it("reconnects after the end of the stream, as at the token's expiry, without counting a failure", async () => {
    const { connection, last, streams, tokens } = connect();
    await settle();
    await last().end();
    expect(connection.status()).toBe("connecting");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(streams).toHaveLength(2);
    expect(tokens.get).toHaveBeenCalledTimes(2);
  });

  it("waits twice as long after each failure, half a minute at most, and starts again after a success", async () => {
    const { connection, refusals, send, last } = connect();
    await settle();
    refusals.push(...Array.from({ length: 7 }, () => REFUSED));
    await last().break();
    expect(connection.status()).toBe("waiting");
    const pauses: number[] = [];
    for (let attempts = send.mock.calls.length; refusals.length > 0; attempts = send.mock.calls.length) {
      const before = Date.now();
      while (send.mock.calls.length === attempts) await vi.advanceTimersByTimeAsync(500);
      pauses.push((Date.now() - before) / 1000);
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30]);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(connection.status()).toBe("live");
    await last().break();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(connection.status()).toBe("live");
  });

  it("reconnects at once when the browser is online again", async () => {
    const { connection, refusals, streams, last } = connect();
    await settle();
    refusals.push(REFUSED, REFUSED);
    await last().break();
    await vi.advanceTimersByTimeAsync(3_000);
    connection.retryNow();
    await settle();
    expect(streams).toHaveLength(2);
  });

  it("ends a stream without data for three heartbeats", async () => {
    const { connection, last, streams } = connect();
    await settle();
    await vi.advanceTimersByTimeAsync(SILENCE_MS - 1);
    expect(connection.status()).toBe("live");
    await vi.advanceTimersByTimeAsync(1);
    expect(streams[0]?.isClosedByClient).toBe(true);
    expect(connection.status()).toBe("waiting");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(last().isClosedByClient).toBe(false);
  });

  it("keeps a stream with heartbeats open", async () => {
    const { connection, last, streams } = connect();
    await settle();
    for (let beat = 0; beat < 8; beat++) {
      await vi.advanceTimersByTimeAsync(15_000);
      await last().send(": beat\n\n");
    }
    expect(connection.status()).toBe("live");
    expect(streams).toHaveLength(1);
  });

  it("requests another token after a refusal", async () => {
    const { refusals, tokens, last, streams } = connect();
    await settle();
    refusals.push(() => Promise.resolve(new Response(null, { status: 401 })));
    await last().break();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(tokens.invalidate).toHaveBeenCalledExactlyOnceWith("token");
    expect(streams).toHaveLength(2);
  });

  it("stops for good when the session has ended", async () => {
    const { connection, tokens, last, send } = connect();
    await settle();
    tokens.get.mockRejectedValue(new SignedOutError("no session"));
    await last().end();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(connection.status()).toBe("signed-out");
    expect(send).toHaveBeenCalledTimes(1);
  });

  it("closes the stream and does not reconnect when it is stopped", async () => {
    const { stop, streams, send } = connect();
    await settle();
    stop();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(streams[0]?.isClosedByClient).toBe(true);
    expect(send).toHaveBeenCalledTimes(1);
  });

  it("runs once when React mounts the page twice", async () => {
    const { connection, stop, streams } = connect();
    stop();
    connection.start();
    await settle();
    expect(streams.filter(({ isClosedByClient }) => !isClosedByClient)).toHaveLength(1);
    expect(connection.status()).toBe("live");
  });
});
