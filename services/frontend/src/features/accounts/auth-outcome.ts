/** The result of an attempt to sign in or up, as a sentence for the user. */

/** What Better Auth's client returns: `error` for an answer that refuses; it rejects when there is no answer. */
interface AuthResult {
  readonly error: { readonly status: number; readonly code?: string | undefined; readonly message?: string | undefined } | null;
}

/** Gives access to the response, whose headers are not in the result. */
export interface AttemptOptions {
  readonly onError: (context: { readonly response: Response }) => void;
}

const REFUSALS: Readonly<Record<string, string>> = {
  INVALID_EMAIL_OR_PASSWORD: "The e-mail or the password is wrong.",
  INVALID_EMAIL: "This is not an e-mail address.",
  USER_ALREADY_EXISTS: "There is an account with this e-mail already. Sign in instead.",
  USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: "There is an account with this e-mail already. Sign in instead.",
  PASSWORD_TOO_SHORT: "The password is too short.",
  PASSWORD_TOO_LONG: "The password is too long.",
  INVALID_ORIGIN: "This address is not the one the application was set up for.",
};

/** Runs `attempt`; returns null when it succeeded, else the reason. Never rejects. */
export async function outcomeOf(attempt: (options: AttemptOptions) => Promise<AuthResult>): Promise<string | null> {
  let retryAfter: string | null = null;
  try {
    const { error } = await attempt({
      onError: ({ response }) => { retryAfter = response.headers.get("x-retry-after"); },
    });
    return error === null ? null : describeRefusal(error, retryAfter);
  } catch {
    // The client rejects only when no answer came, and the browser does not say why.
    return "The server cannot be reached. Check your connection and try again.";
  }
}

function describeRefusal({ status, code, message }: NonNullable<AuthResult["error"]>, retryAfter: string | null): string {
  if (status === 429) return `Too many attempts. Try again in ${inSeconds(retryAfter)}.`;
  if (status >= 500) return "The server could not do this. Try again in a moment.";
  return REFUSALS[code ?? ""] ?? message ?? "The server refused this.";
}

function inSeconds(retryAfter: string | null): string {
  const seconds = Number(retryAfter);
  if (retryAfter === null || !Number.isFinite(seconds)) return "a moment";
  return seconds === 1 ? "1 second" : `${seconds} seconds`;
}
