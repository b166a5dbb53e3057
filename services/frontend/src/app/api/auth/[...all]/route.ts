import { auth } from "@/server/auth";

/** Everything under /api/auth belongs to Better Auth, tokens and JWKS included. */
const handle = (request: Request): Promise<Response> => auth().handler(request);

export { handle as GET, handle as POST };
