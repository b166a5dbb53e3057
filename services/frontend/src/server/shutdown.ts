/**
 * Ends the server process as a pod ends: it serves until load balancers have noticed that it is unready, then finishes
 * the open requests. Next's own handler stops listening at the signal; `NEXT_MANUAL_SIG_HANDLE` in the image disables it.
 */
import diagnostics from "node:diagnostics_channel";
import type { Server, ServerResponse } from "node:http";

interface Exchange {
  readonly server: Server;
  readonly response: ServerResponse;
}

interface ShutdownOptions {
  /** For how long requests are accepted after the signal. */
  readonly delayMs: number;
  /** For how long open requests may go on after that. */
  readonly drainMs: number;
  /** Is called at the first signal. */
  readonly onStart: () => void;
  readonly exit: () => void;
}

/**
 * Returns the function to call at each signal; the second one ends the delay.
 *
 * The servers of the process are those that have received a request, which a probe does within seconds; without one
 * nothing needs to be finished.
 */
export function createShutdown({ delayMs, drainMs, onStart, exit }: ShutdownOptions): () => void {
  const servers = new Set<Server>();
  let isDraining = false;
  let timer: NodeJS.Timeout | undefined;

  diagnostics.subscribe("http.server.request.start", (message) => {
    const { server, response } = message as Exchange;
    servers.add(server);
    // The proxy opens its next connection to a pod that is ready.
    if (isDraining) response.setHeader("Connection", "close");
  });

  const stop = () => {
    clearTimeout(timer);
    const closed = [...servers].map((server) => new Promise((resolve) => { server.close(resolve); }));
    timer = setTimeout(exit, drainMs);
    void Promise.all(closed).then(exit);
  };

  return () => {
    if (isDraining) {
      stop();
      return;
    }
    isDraining = true;
    onStart();
    timer = setTimeout(stop, delayMs);
  };
}
