import { processState } from "@/server/process-state";

export const dynamic = "force-dynamic";

/** Metrics of the process and of HTTP in Prometheus' text format. */
export async function GET(): Promise<Response> {
  const { registry } = processState();
  return new Response(await registry.metrics(), { headers: { "Content-Type": registry.contentType } });
}
