/** Tells the other tabs of this browser that somebody signed in or out, so that none goes on showing another user. */
const CHANNEL = "todo-session";

/** Tells every other tab. */
export function announceSessionChange(): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage("changed");
  channel.close();
}

/** Calls `listener` when another tab announces a change, until the returned function is called. */
export function onSessionChange(listener: () => void): () => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener("message", listener);
  return () => { channel.close(); };
}
