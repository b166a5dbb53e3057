/** The functions that Next calls once when the server starts, and for every error that it catches. */
import type { Instrumentation } from "next";

/** Checks the environment before the first request, then starts metrics, request logs and the handling of SIGTERM. */
export async function register(): Promise<void> {
  if (process.env["NEXT_RUNTIME"] !== "nodejs") return;
  const { startProcess } = await import("./server/start-process.ts");
  startProcess();
}

export const onRequestError: Instrumentation.onRequestError = async (error, request, context) => {
  if (process.env["NEXT_RUNTIME"] !== "nodejs") return;
  const { logRequestError } = await import("./server/start-process.ts");
  logRequestError(error, request, context.routePath);
};
