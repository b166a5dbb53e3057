"use client";

import { useSyncExternalStore } from "react";

const MINUTE_MS = 60_000;
/** The delay with which a new minute is noticed. */
const CHECK_MS = 5_000;

/** The current minute, in milliseconds since the epoch; null on the server, which does not know the user's zone. */
export function useNow(): number | null {
  return useSyncExternalStore(
    subscribe,
    () => Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS,
    () => null,
  );
}

function subscribe(onChange: () => void): () => void {
  const timer = setInterval(onChange, CHECK_MS);
  return () => { clearInterval(timer); };
}
