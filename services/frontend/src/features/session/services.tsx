"use client";

/** The objects that exist as long as a user is on the page, and how components get them. */
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, createContext, use, useEffect, useState } from "react";

import { Notices } from "@/features/feedback/notices";
import { PendingDeletions } from "@/features/tasks/pending-deletions";
import { type TaskChange, TaskJournal } from "@/features/tasks/task-state";
import { TASKS_KEY, taskStateAfter } from "@/features/tasks/task-query";
import { deleteTask } from "@/features/tasks/tasks-api";
import { ApiClient } from "@/lib/api/client";
import { OtherAccountError, ProblemError, SignedOutError, UnreachableError, userMessageOf } from "@/lib/api/errors";
import { TokenSource } from "@/lib/api/token-source";

import { onSessionChange } from "./session-channel";

export interface Services {
  readonly api: ApiClient;
  readonly tokens: TokenSource;
  readonly queries: QueryClient;
  readonly journal: TaskJournal;
  readonly deletions: PendingDeletions;
  readonly notices: Notices;
  /** Applies a change of a task, from any source, to the shown tasks. */
  readonly recordTaskChange: (change: TaskChange) => void;
}

/** Creates the services of the user; `leave` is called when a request shows that the session is not the user's. */
export function createServices(userId: string, leave: () => void): Services {
  const onError = (error: unknown) => {
    if (isOfNoSession(error)) leave();
  };
  const queries = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: { queries: { retry: (failures, error) => failures < 2 && isTransient(error) } },
  });
  const tokens = new TokenSource({ userId });
  const api = new ApiClient(tokens);
  const journal = new TaskJournal();
  const notices = new Notices();
  const recordTaskChange = (change: TaskChange) => {
    journal.record(change);
    queries.setQueryData(TASKS_KEY, taskStateAfter(change));
  };
  const deletions = new PendingDeletions({
    send: async ({ id }) => {
      await deleteTask(api, id).catch(ignoreMissing);
      recordTaskChange({ kind: "deleted", id });
    },
    onFailure: (error, task) => {
      onError(error);
      notices.report(`“${task.title}” was not deleted. ${userMessageOf(error)}`);
    },
  });
  return { api, tokens, queries, journal, deletions, notices, recordTaskChange };
}

/** Whether the page must go, because its user has no session in this browser any more. */
export function isOfNoSession(error: unknown): boolean {
  return error instanceof SignedOutError || error instanceof OtherAccountError;
}

/** Whether the same request may succeed shortly afterwards. */
function isTransient(error: unknown): boolean {
  return error instanceof UnreachableError || (error instanceof ProblemError && error.status >= 500);
}

/** A task that another tab has deleted already counts as deleted. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof ProblemError && error.status === 404)) throw error;
}

const ServicesContext = createContext<Services | null>(null);

interface ServicesProviderProps {
  readonly userId: string;
  readonly children: ReactNode;
}

export function ServicesProvider({ userId, children }: ServicesProviderProps) {
  const [value] = useState(() => createServices(userId, leavePage));
  useEffect(() => onSessionChange(leavePage), []);
  return (
    <ServicesContext value={value}>
      <QueryClientProvider client={value.queries}>{children}</QueryClientProvider>
    </ServicesContext>
  );
}

export function useServices(): Services {
  const services = use(ServicesContext);
  if (services === null) throw new Error("useServices needs a ServicesProvider above it");
  return services;
}

/**
 * Loads the page anew instead of using the router, so that no data of this user remains for the next one. The server
 * shows the list of whoever is signed in now, or the form for signing in.
 */
export function leavePage(): void {
  window.location.assign("/");
}
