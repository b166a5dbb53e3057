/** The bearer token for the services behind the ingress: fetched with the session cookie, shared by all requests. */
import { OtherAccountError, ProblemError, SignedOutError, UnreachableError, problemOf } from "./errors";

/** A token is replaced this long before it expires: longer than a request takes, and than clocks differ. */
const MARGIN_MS = 60_000;
/** A request without an answer counts as failed: a proxy that hangs must not leave the page waiting. */
const TIMEOUT_MS = 15_000;

interface CachedToken {
  readonly value: string;
  readonly expiresAt: number;
}

interface TokenSourceOptions {
  /** The user whose page this is. */
  readonly userId: string;
  readonly fetch?: typeof fetch;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export class TokenSource {
  readonly #userId: string;
  readonly #fetch: typeof fetch;
  readonly #now: () => number;
  #cached: CachedToken | undefined;
  #pending: Promise<CachedToken> | undefined;

  constructor({ userId, fetch: send = (...request) => fetch(...request), now = Date.now }: TokenSourceOptions) {
    this.#userId = userId;
    this.#fetch = send;
    this.#now = now;
  }

  /**
   * Returns a token that does not expire soon. Concurrent callers share a request.
   *
   * @throws SignedOutError when there is no session, OtherAccountError when it is another user's, UnreachableError,
   *   ProblemError.
   */
  async get(): Promise<string> {
    if (this.#cached !== undefined && this.#cached.expiresAt - MARGIN_MS > this.#now()) return this.#cached.value;
    this.#pending ??= this.#request().finally(() => {
      this.#pending = undefined;
    });
    this.#cached = await this.#pending;
    return this.#cached.value;
  }

  /** Drops `token`, which a service refused; a newer token that was fetched meanwhile is kept. */
  invalidate(token: string): void {
    if (this.#cached?.value === token) this.#cached = undefined;
  }

  async #request(): Promise<CachedToken> {
    let response: Response;
    try {
      response = await this.#fetch("/api/auth/token", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (cause) {
      throw new UnreachableError("GET /api/auth/token got no answer", { cause });
    }
    if (response.status === 401) throw new SignedOutError("GET /api/auth/token: no session");
    if (!response.ok) throw await problemOf(response);
    const body = (await response.json()) as { token?: unknown };
    if (typeof body.token !== "string") throw new ProblemError(response.status, "The answer holds no token");
    const { sub, exp } = claimsOf(body.token);
    if (sub !== this.#userId) throw new OtherAccountError("GET /api/auth/token: the session is another user's");
    return { value: body.token, expiresAt: typeof exp === "number" ? exp * 1000 : 0 };
  }
}

/** Returns what `token` says, unverified: the service that receives it verifies it. `exp` is in seconds. */
function claimsOf(token: string): { readonly sub?: unknown; readonly exp?: unknown } {
  const [, payload = ""] = token.split(".");
  return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { sub?: unknown; exp?: unknown };
}
