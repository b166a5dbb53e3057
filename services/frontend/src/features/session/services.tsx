"use client";

/** The objects that exist as long as a user is on the page, and how components get them. */
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, createContext, use, useState } from "react";

import { Notices } from "@/features/feedback/notices";
import { PendingDeletions } from "@/features/tasks/pending-deletions";
import { type TaskChange, TaskJournal } from "@/features/tasks/task-state";
import { TASKS_KEY, taskStateAfter } from "@/features/tasks/task-query";
import { deleteTask } from "@/features/tasks/tasks-api";
import { ApiClient } from "@/lib/api/client";
import { ProblemError, SignedOutError, UnreachableError, userMessageOf } from "@/lib/api/errors";
import { TokenSource } from "@/lib/api/token-source";

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

/** Creates the services; `onSignedOut` is called when a request shows that the session has ended. */
export function createServices(onSignedOut: () => void): Services {
  const onError = (error: unknown) => {
    if (error instanceof SignedOutError) onSignedOut();
  };
  const queries = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: { queries: { retry: (failures, error) => failures < 2 && isTransient(error) } },
  });
  const tokens = new TokenSource();
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

/** Whether the same request may succeed shortly afterwards. */
function isTransient(error: unknown): boolean {
  return error instanceof UnreachableError || (error instanceof ProblemError && error.status >= 500);
}

/** A task that another tab has deleted already counts as deleted. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof ProblemError && error.status === 404)) throw error;
}

const ServicesContext = createContext<Services | null>(null);

export function ServicesProvider({ services, children }: { services?: Services; children: ReactNode }) {
  const [value] = useState(() => services ?? createServices(goToSignIn));
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

/** Loads the page anew instead of using the router, so that no data of this user remains for the next one. */
export function goToSignIn(): void {
  window.location.assign("/sign-in");
}
