import { FROM_PROXY } from "@/server/http-observer";
import { processState } from "@/server/process-state";

export const dynamic = "force-dynamic";

/**
 * Metrics of the process and of HTTP in Prometheus' text format, for who asks the pod itself. A request that a proxy
 * has forwarded comes from outside, and there is no such page there.
 */
export async function GET(request: Request): Promise<Response> {
  if (request.headers.get(FROM_PROXY) === "true") return new Response(null, { status: 404 });
  const { registry } = processState();
  return new Response(await registry.metrics(), { headers: { "Content-Type": registry.contentType } });
}
