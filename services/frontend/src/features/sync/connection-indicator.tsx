import type { LiveStatus } from "./live-connection";

const appearances: Record<LiveStatus, { label: string; hint: string; dot: string }> = {
  live: { label: "Live", hint: "Changes from your other devices appear at once.", dot: "bg-accent" },
  connecting: { label: "Connecting…", hint: "Connecting to live updates.", dot: "bg-warning animate-pulse" },
  waiting: { label: "Reconnecting…", hint: "Live updates are interrupted. Your own changes still work.", dot: "bg-danger" },
  "signed-out": { label: "Signed out", hint: "Your session has ended.", dot: "bg-danger" },
};

/** Whether changes of other tabs and devices arrive, in a word; the hint explains it. */
export function ConnectionIndicator({ status }: { readonly status: LiveStatus }) {
  const { label, hint, dot } = appearances[status];
  return (
    <p role="status" title={hint} className="mr-1 flex items-center gap-2 rounded-full px-2.5 py-1 text-sm text-muted">
      <span aria-hidden className={`size-2 rounded-full ${dot}`} />
      {label}
    </p>
  );
}
