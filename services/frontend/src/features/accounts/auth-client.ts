/** Better Auth in the browser, on the origin the page came from. */
import { createAuthClient } from "better-auth/client";

export const authClient = createAuthClient();
