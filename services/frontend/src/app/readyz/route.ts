import { createReadiness } from "@/server/health";
import { processState } from "@/server/process-state";

export const dynamic = "force-dynamic";

const readiness = createReadiness(() => processState().pool.query("select 1"));

/** 200 while the process accepts requests, 503 while it drains or cannot reach the database. */
export async function GET(): Promise<Response> {
  const answer = await readiness(processState().isDraining);
  return Response.json(answer, { status: answer.status === "ready" ? 200 : 503 });
}
