/**
 * The connection to the stream of live events: new tokens, resuming after the last event, back-off with jitter, and a
 * watchdog for connections that are dead without having been closed. It does not interpret the events.
 *
 * It uses `fetch` and not `EventSource`, which can send a token only in the URL, where proxies log it.
 */
import { EventSourceParserStream } from "eventsource-parser/stream";

import { OtherAccountError, SignedOutError } from "@/lib/api/errors";
import type { TokenSource } from "@/lib/api/token-source";

import { type LiveEvent, parseLiveEvent } from "./live-events";

/** `live`: events arrive. `connecting`: an attempt is running. `waiting`: the attempt failed, another one follows. */
export type LiveStatus = "connecting" | "live" | "waiting" | "signed-out";

/** The gateway sends a comment every 15 s; without any data for 45 s the connection counts as dead. */
export const SILENCE_MS = 45_000;
/** The pause after a stream that ended normally, unless the gateway sets another one by `retry:`. */
const DEFAULT_RETRY_MS = 1_000;
const BACKOFF_BASE_MS = 1_000;
const BACKOFF_CAP_MS = 30_000;

export interface LiveConnectionOptions {
  readonly url: string;
  readonly tokens: Pick<TokenSource, "get" | "invalidate">;
  readonly onEvent: (event: LiveEvent) => void;
  /** Events may have been missed, so all shown data must be fetched again. */
  readonly onGap: () => void;
  readonly fetch?: typeof fetch;
  /** In [0, 1). */
  readonly random?: () => number;
}

export class LiveConnection {
  readonly #options: LiveConnectionOptions;
  readonly #fetch: typeof fetch;
  readonly #random: () => number;
  readonly #listeners = new Set<() => void>();
  #status: LiveStatus = "connecting";
  #lastEventId: string | undefined;
  #retryMs = DEFAULT_RETRY_MS;
  #failures = 0;
  #endPause: (() => void) | undefined;

  constructor(options: LiveConnectionOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? ((...request) => fetch(...request));
    this.#random = options.random ?? Math.random;
  }

  readonly status = (): LiveStatus => this.#status;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Connects and stays connected until the returned function is called. */
  start(): () => void {
    const stopper = new AbortController();
    void this.#run(stopper.signal);
    return () => { stopper.abort(); };
  }

  /** Ends a pause between attempts; called when the browser is online again. */
  retryNow(): void {
    this.#endPause?.();
  }

  async #run(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      this.#setStatus("connecting");
      const pauseMs = await this.#streamOnce(stopped);
      if (pauseMs === null) return;
      await this.#pause(pauseMs, stopped);
    }
  }

  /** Runs a stream to its end. Returns the pause before the next one; null when there must be none. */
  async #streamOnce(stopped: AbortSignal): Promise<number | null> {
    const silence = new Watchdog(SILENCE_MS);
    try {
      await this.#read(AbortSignal.any([stopped, silence.signal]), () => { silence.reset(); });
      this.#setStatus("connecting");
      // Ended normally, by the token's expiry or by `bye`: half to all of the pause, which spreads clients.
      return this.#retryMs * (0.5 + this.#random() / 2);
    } catch (error) {
      if (stopped.aborted) return null;
      if (error instanceof SignedOutError || error instanceof OtherAccountError) {
        this.#setStatus("signed-out");
        return null;
      }
      this.#setStatus("waiting");
      const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** this.#failures);
      this.#failures += 1;
      return ceiling * (0.5 + this.#random() / 2);
    } finally {
      silence.stop();
    }
  }

  /** Opens the stream and passes on its events until the gateway ends it; rejects when it breaks or is refused. */
  async #read(signal: AbortSignal, onSignOfLife: () => void): Promise<void> {
    const body = await this.#open(signal);
    onSignOfLife();
    this.#failures = 0;
    this.#setStatus("live");
    if (this.#lastEventId === undefined) this.#options.onGap();

    const messages = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).pipeThrough(
      new EventSourceParserStream({
        onComment: onSignOfLife,
        onRetry: (milliseconds) => { this.#retryMs = milliseconds; },
      }),
    );
    // Leaving the loop, by `bye` or by an error, ends the request too.
    for await (const message of readAll(messages)) {
      onSignOfLife();
      const event = parseLiveEvent(message);
      if (event?.kind === "bye") return;
      this.#lastEventId = message.id ?? (event?.kind === "reset" ? undefined : this.#lastEventId);
      if (event?.kind === "reset") this.#options.onGap();
      else if (event !== null) this.#options.onEvent(event);
    }
  }

  async #open(signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const token = await this.#options.tokens.get();
    const headers = new Headers({ Accept: "text/event-stream", Authorization: `Bearer ${token}` });
    if (this.#lastEventId !== undefined) headers.set("Last-Event-ID", this.#lastEventId);
    const response = await this.#fetch(this.#options.url, { headers, signal, cache: "no-store", credentials: "omit" });
    if (response.status === 401) this.#options.tokens.invalidate(token);
    if (!response.ok || response.body === null) throw new Error(`The gateway answered ${response.status}`);
    return response.body;
  }

  #pause(milliseconds: number, stopped: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        stopped.removeEventListener("abort", end);
        this.#endPause = undefined;
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      stopped.addEventListener("abort", end);
      this.#endPause = end;
    });
  }

  #setStatus(status: LiveStatus): void {
    if (this.#status === status) return;
    this.#status = status;
    for (const listener of this.#listeners) listener();
  }
}

/** Iterates over a stream, also in browsers whose streams are not iterable (Safari). */
async function* readAll<T>(stream: ReadableStream<T>): AsyncGenerator<T> {
  const reader = stream.getReader();
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) yield chunk.value;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Aborts its signal when it has not been reset for the given time. */
class Watchdog {
  readonly #controller = new AbortController();
  readonly #milliseconds: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
    this.reset();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  reset(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { this.#controller.abort(new Error("The stream fell silent")); }, this.#milliseconds);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
