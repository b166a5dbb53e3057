/** The Better Auth instance of this process, and the signed-in user of a request. */
import { betterAuth } from "better-auth";
import { nextCookies } from "better-auth/next-js";
import { headers } from "next/headers";

import { authOptions } from "./auth-options.ts";
import { environment } from "./environment.ts";
import { processState } from "./process-state.ts";

let instance: ReturnType<typeof createAuth> | undefined;

/** Is created on first use, so that `next build`, which imports every route, needs no secret and no database. */
export function auth() {
  return (instance ??= createAuth());
}

function createAuth() {
  const { pool, log } = processState();
  const options = authOptions(environment(), pool, log);
  return betterAuth({ ...options, plugins: [...options.plugins, nextCookies()] });
}

export interface SignedInUser {
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

/** Returns the user of the request's valid session, or null. The proxy only checks whether there is a cookie. */
export async function signedInUser(): Promise<SignedInUser | null> {
  // A page cannot set cookies, so it must not extend the session either: row and cookie would differ.
  const session = await auth().api.getSession({ headers: await headers(), query: { disableRefresh: true } });
  return session && { id: session.user.id, name: session.user.name, email: session.user.email };
}
