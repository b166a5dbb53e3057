import { environment } from "@/server/environment";
import { health } from "@/server/health";

export const dynamic = "force-dynamic";

/** The process is alive; its dependencies are not checked. */
export function GET(): Response {
  return Response.json(health(environment().BUILD_ID));
}
