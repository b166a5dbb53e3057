"use client";

import { useEffect, useState, useSyncExternalStore } from "react";

import { receiveNotification, refetchNotifications } from "@/features/notifications/notifications";
import { type Services, leavePage, useServices } from "@/features/session/services";
import { TASKS_KEY } from "@/features/tasks/task-query";

import { LiveConnection, type LiveStatus } from "./live-connection";
import type { LiveEvent } from "./live-events";

/** Keeps the shown data up to date while the component is mounted; returns the state of the connection. */
export function useLiveSync(): LiveStatus {
  const services = useServices();
  const [connection] = useState(
    () =>
      new LiveConnection({
        url: "/sse/tasks",
        tokens: services.tokens,
        onEvent: (event) => { receive(services, event); },
        onGap: () => { refetchAll(services); },
      }),
  );
  useEffect(() => connection.start(), [connection]);
  useEffect(() => {
    const retry = () => { connection.retryNow(); };
    window.addEventListener("online", retry);
    return () => { window.removeEventListener("online", retry); };
  }, [connection]);

  const status = useSyncExternalStore(connection.subscribe, connection.status, connection.status);
  useEffect(() => {
    if (status === "signed-out") leavePage();
  }, [status]);
  return status;
}

function receive(services: Services, event: LiveEvent): void {
  if (event.kind === "task") services.recordTaskChange(event.change);
  else if (event.kind === "notification") receiveNotification(services.queries, event.notification);
}

function refetchAll({ queries }: Services): void {
  void queries.invalidateQueries({ queryKey: TASKS_KEY });
  void refetchNotifications(queries);
}
