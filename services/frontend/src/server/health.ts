/** The answers to probes: alive (`healthz`) and ready for requests (`readyz`). */
const PING_TIMEOUT_MS = 2_000;
const CACHE_MS = 2_000;

export interface Health {
  readonly status: "ok";
  readonly service: "frontend";
  readonly build: string;
}

export function health(build: string): Health {
  return { status: "ok", service: "frontend", build };
}

export interface Readiness {
  readonly status: "ready" | "draining" | "unready";
  readonly checks: Readonly<Record<string, "ok" | "failed" | "skipped">>;
}

/**
 * Returns a readiness check by `ping`, which rejects while the database cannot be reached.
 *
 * A result is kept for two seconds and shared by all probes in that time, so that they cannot load the database. A ping
 * that takes longer than two seconds counts as failed.
 */
export function createReadiness(ping: () => Promise<unknown>, now: () => number = Date.now) {
  let checkedAt = Number.NEGATIVE_INFINITY;
  let answer: Promise<boolean> | undefined;

  return async (isDraining: boolean): Promise<Readiness> => {
    if (isDraining) return { status: "draining", checks: { database: "skipped" } };
    if (answer === undefined || now() - checkedAt >= CACHE_MS) {
      checkedAt = now();
      answer = isReachable(ping);
    }
    return (await answer)
      ? { status: "ready", checks: { database: "ok" } }
      : { status: "unready", checks: { database: "failed" } };
  };
}

async function isReachable(ping: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => { resolve(false); }, PING_TIMEOUT_MS);
  });
  // The pool logs the reason (`database_connection_lost`); a probe needs only yes or no.
  const reached = ping().then(() => true, () => false);
  try {
    return await Promise.race([reached, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
