"use client";

/** The user's notifications: the newest, the unread count, and marking them as read. */
import { type QueryClient, useMutation, useQuery } from "@tanstack/react-query";

import { useServices } from "@/features/session/services";
import { userMessageOf } from "@/lib/api/errors";
import type { Notification, NotificationPage } from "@/lib/api/types";

const LIST_KEY = ["notifications", "list"] as const;
const COUNT_KEY = ["notifications", "unread-count"] as const;
const LIST_SIZE = 20;

/** The newest notifications. */
export function useNotifications() {
  const { api } = useServices();
  return useQuery({
    queryKey: LIST_KEY,
    queryFn: ({ signal }) => api.request<NotificationPage>("GET", `/api/notifications?limit=${LIST_SIZE}`, { signal }),
    select: ({ items }) => items,
  });
}

/** The number of unread notifications, counted over all and not only over the newest. */
export function useUnreadCount() {
  const { api } = useServices();
  return useQuery({
    queryKey: COUNT_KEY,
    queryFn: ({ signal }) => api.request<{ count: number }>("GET", "/api/notifications/unread-count", { signal }),
    select: ({ count }) => count,
  });
}

/** Marks a notification, or all of them, as read. */
export function useMarkRead() {
  const { api, queries, notices } = useServices();
  return useMutation({
    mutationFn: (which: Notification | "all") =>
      which === "all"
        ? api.request<unknown>("POST", "/api/notifications/read-all")
        : api.request<unknown>("PATCH", `/api/notifications/${which.id}/read`),
    onError: (error) => { notices.report(`Nothing was marked read. ${userMessageOf(error)}`); },
    onSettled: () => refetchNotifications(queries),
  });
}

/** Adds a pushed notification on top of the list, unless its id is in the list already. */
export function withNotification(
  page: NotificationPage | undefined,
  notification: Notification,
): NotificationPage | undefined {
  if (page === undefined || page.items.some(({ id }) => id === notification.id)) return page;
  return { ...page, items: [notification, ...page.items].slice(0, LIST_SIZE) };
}

/** Adds a pushed notification to the list, and fetches the count again, because only the service knows it exactly. */
export function receiveNotification(queries: QueryClient, notification: Notification): void {
  queries.setQueryData<NotificationPage>(LIST_KEY, (page) => withNotification(page, notification));
  void queries.invalidateQueries({ queryKey: COUNT_KEY });
}

export function refetchNotifications(queries: QueryClient): Promise<void> {
  return queries.invalidateQueries({ queryKey: ["notifications"] });
}
