/** The client of Better Auth, on the origin of the page. */
import { createAuthClient } from "better-auth/client";

export const authClient = createAuthClient();
