/**
 * Limits attempts to sign in by account, whatever addresses they come from. Better Auth itself limits only by address,
 * which stops neither guesses from many addresses nor spares the colleagues behind one.
 */
import { createHash } from "node:crypto";

import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthMiddleware } from "better-auth/api";

const SIGN_IN_PATH = "/sign-in/email";
export const ATTEMPTS = 10;
const WINDOW_MS = 5 * 60 * 1_000;

/** Counts in Better Auth's table of rate limits, which all replicas share and from which it deletes old rows. */
const MODEL = "rateLimit";

/** Returns the plugin that counts attempts; the limit holds for five minutes, from their begin on the clock. */
export function signInLimit() {
  return {
    id: "sign-in-limit",
    hooks: {
      before: [
        {
          matcher: ({ path }) => path === SIGN_IN_PATH,
          handler: createAuthMiddleware(async ({ body, context: { adapter } }) => {
            const { email } = body as { email?: unknown };
            if (typeof email !== "string") return; // refused by the endpoint
            const window = Math.floor(Date.now() / WINDOW_MS);
            const endsAt = (window + 1) * WINDOW_MS;
            // The table must not tell who has an account. Better Auth compares addresses in lower case.
            const account = createHash("sha256").update(email.toLowerCase()).digest("base64url");
            const key = { field: "key", value: `${SIGN_IN_PATH}|${account}|${window}` };
            const count = () =>
              adapter.incrementOne({
                model: MODEL,
                where: [key, { field: "count", operator: "lt", value: ATTEMPTS }],
                increment: { count: 1 },
              });
            if ((await count()) !== null) return;
            if ((await adapter.count({ model: MODEL, where: [key] })) === 0) {
              // Rows are deleted by the time of their last request; this one is needed until its window ends.
              const row = { key: key.value, count: 1, lastRequest: endsAt };
              // Of two first attempts at once, the second finds the row of the first.
              const isFirst = await adapter.create({ model: MODEL, data: row }).then(() => true, () => false);
              if (isFirst || (await count()) !== null) return;
            }
            const seconds = Math.ceil((endsAt - Date.now()) / 1_000);
            throw new APIError(
              "TOO_MANY_REQUESTS",
              { message: "Too many attempts to sign in to this account. Please try again later." },
              { "X-Retry-After": String(seconds) },
            );
          }),
        },
      ],
    },
  } satisfies BetterAuthPlugin;
}
