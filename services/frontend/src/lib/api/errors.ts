/**
 * The errors of requests to the services.
 *
 *     RequestError
 *     ├── UnreachableError   no answer: offline, the request was refused, the connection broke
 *     ├── SignedOutError     there is no session any more
 *     ├── OtherAccountError  the session belongs to another account than the page
 *     └── ProblemError       the service answered with an error (RFC 9457 problem+json)
 */
export abstract class RequestError extends Error {
  /** A sentence for the user. */
  abstract readonly userMessage: string;
}

export class UnreachableError extends RequestError {
  override readonly name = "UnreachableError";
  readonly userMessage = "The server cannot be reached. Check your connection and try again.";
}

export class SignedOutError extends RequestError {
  override readonly name = "SignedOutError";
  readonly userMessage = "Your session has ended. Sign in again.";
}

export class OtherAccountError extends RequestError {
  override readonly name = "OtherAccountError";
  readonly userMessage = "You signed in with another account in another tab.";
}

export class ProblemError extends RequestError {
  override readonly name = "ProblemError";

  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail?: string,
    readonly requestId?: string,
  ) {
    super(`${status} ${title}${detail === undefined ? "" : `: ${detail}`}`);
  }

  get userMessage(): string {
    if (this.status === 429) return "Too many requests. Wait a moment and try again.";
    if (this.status < 500) return this.detail ?? this.title;
    const reference = this.requestId === undefined ? "" : ` (reference ${this.requestId})`;
    return `The server could not do this${reference}. Try again in a moment.`;
  }
}

/** Returns the sentence to show for anything that was thrown. */
export function userMessageOf(error: unknown): string {
  return error instanceof RequestError ? error.userMessage : "Something went wrong. Reload the page and try again.";
}

/** Returns the error of `response`, also when its body is not problem+json, such as the page of a proxy. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const body: unknown = await response.json().catch(() => null);
  const text = (key: string) => {
    const value = (body as Record<string, unknown> | null)?.[key];
    return typeof value === "string" ? value : undefined;
  };
  const requestId = text("request_id") ?? response.headers.get("x-request-id") ?? undefined;
  return new ProblemError(response.status, text("title") ?? `Error ${response.status}`, text("detail"), requestId);
}
