"use client";

import { Bell } from "lucide-react";
import type { ReactNode } from "react";

import { userMessageOf } from "@/lib/api/errors";
import type { Notification } from "@/lib/api/types";
import { useNow } from "@/lib/use-now";

import { formatAge } from "./age";
import { useMarkRead, useNotifications, useUnreadCount } from "./notifications";

const PANEL_ID = "notifications";

/** The bell with the number of unread notifications, and the panel it opens. */
export function NotificationBell() {
  const { data: unread = 0 } = useUnreadCount();
  const { mutate: markRead, isPending } = useMarkRead();
  return (
    <>
      <button
        type="button"
        popoverTarget={PANEL_ID}
        aria-label={unread === 0 ? "Notifications" : `Notifications, ${unread} unread`}
        className="relative grid size-9 place-items-center rounded-full text-muted hover:bg-sunken hover:text-ink"
      >
        <Bell aria-hidden className="size-5" />
        {unread > 0 && (
          <span
            aria-hidden
            className="absolute -top-0.5 -right-0.5 min-w-4.5 rounded-full bg-accent px-1 text-center text-[0.6875rem] leading-4.5 font-bold text-on-accent"
          >
            {unread > 99 ? "99+" : unread}
          </span>
        )}
      </button>
      <section id={PANEL_ID} popover="auto" aria-label="Notifications" className="popover-panel w-[min(24rem,calc(100vw-2rem))]">
        <div className="flex h-12 items-center justify-between border-b border-line pr-2 pl-4">
          <h2 className="font-semibold">Notifications</h2>
          {unread > 0 && (
            <button type="button" className="button-quiet" disabled={isPending} onClick={() => { markRead("all"); }}>
              Mark all read
            </button>
          )}
        </div>
        <NotificationList />
      </section>
    </>
  );
}

/** The newest notifications, or the reason why none are shown. */
export function NotificationList() {
  const { data: notifications, error, refetch } = useNotifications();
  const now = useNow();
  if (notifications === undefined) {
    if (error === null) return <Message role="status">Loading…</Message>;
    return (
      <Message role="alert">
        {userMessageOf(error)}{" "}
        <button type="button" className="font-medium text-accent underline" onClick={() => void refetch()}>Try again</button>
      </Message>
    );
  }
  if (notifications.length === 0) return <Message>Nothing yet. Reminders and news appear here.</Message>;
  return (
    <ul className="max-h-96 divide-y divide-line overflow-y-auto">
      {notifications.map((notification) => (
        <NotificationRow key={notification.id} notification={notification} now={now} />
      ))}
    </ul>
  );
}

function NotificationRow({ notification, now }: { notification: Notification; now: number | null }) {
  const { mutate: markRead, isPending } = useMarkRead();
  const { title, is_read, created_at } = notification;
  return (
    <li className="flex items-start gap-3 px-4 py-3">
      <span aria-hidden className={`mt-2 size-2 shrink-0 rounded-full ${is_read ? "bg-transparent" : "bg-accent"}`} />
      <div className="min-w-0 grow">
        <p className={`text-sm wrap-anywhere ${is_read ? "text-muted" : "font-medium"}`}>{title}</p>
        <p className="text-xs text-muted">
          <time dateTime={created_at}>{now !== null && formatAge(new Date(created_at), new Date(now))}</time>
        </p>
      </div>
      {!is_read && (
        <button
          type="button"
          className="button-quiet -my-1 shrink-0"
          aria-label={`Mark “${title}” read`}
          disabled={isPending}
          onClick={() => { markRead(notification); }}
        >
          Mark read
        </button>
      )}
    </li>
  );
}

function Message({ children, role }: { children: ReactNode; role?: "status" | "alert" }) {
  return <p role={role} className="px-4 py-8 text-center text-sm text-muted">{children}</p>;
}
