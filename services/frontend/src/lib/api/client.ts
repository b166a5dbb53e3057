/** JSON requests to the services, with the user's token. */
import { UnreachableError, problemOf } from "./errors";
import type { TokenSource } from "./token-source";

type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** A request without an answer counts as failed: a proxy that hangs must not leave the page waiting. */
const TIMEOUT_MS = 15_000;

export interface RequestOptions {
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Lets the request outlive the page. */
  readonly keepalive?: boolean;
}

export class ApiClient {
  readonly #tokens: TokenSource;
  readonly #fetch: typeof fetch;

  constructor(tokens: TokenSource, send: typeof fetch = (...request) => fetch(...request)) {
    this.#tokens = tokens;
    this.#fetch = send;
  }

  /**
   * Returns the JSON answer to a request; `undefined` for 204. After a refused token the request is sent again once.
   *
   * @throws SignedOutError, OtherAccountError, UnreachableError, ProblemError; an AbortError when `signal` fires.
   */
  async request<T>(method: Method, path: string, options: RequestOptions = {}): Promise<T> {
    const token = await this.#tokens.get();
    let response = await this.#send(method, path, token, options);
    if (response.status === 401) {
      this.#tokens.invalidate(token);
      response = await this.#send(method, path, await this.#tokens.get(), options);
    }
    if (!response.ok) throw await problemOf(response);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  async #send(method: Method, path: string, token: string, options: RequestOptions): Promise<Response> {
    const headers = new Headers({ Accept: "application/json", Authorization: `Bearer ${token}` });
    if (options.body !== undefined) headers.set("Content-Type", "application/json");
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      return await this.#fetch(path, {
        method,
        headers,
        cache: "no-store",
        credentials: "omit",
        ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
        signal: options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]),
        ...(options.keepalive !== undefined && { keepalive: options.keepalive }),
      });
    } catch (cause) {
      if (options.signal?.aborted) throw cause;
      throw new UnreachableError(`${method} ${path} got no answer`, { cause });
    }
  }
}
