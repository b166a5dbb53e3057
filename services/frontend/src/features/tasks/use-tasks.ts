"use client";

/** The tasks as components see them: the data of the backend, with changes that it has not confirmed yet. */
import { useMutation, useMutationState, useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";

import { useServices } from "@/features/session/services";
import { userMessageOf } from "@/lib/api/errors";
import type { Task, TaskWrite } from "@/lib/api/types";

import { TASKS_KEY } from "./task-query";
import { createTask, fetchTasks, setCompleted } from "./tasks-api";

const SET_COMPLETED_KEY = ["tasks", "set-completed"] as const;
/** A list that could not be fetched is asked for again, so that it does not stay out of date. */
const RETRY_MS = 15_000;
const NONE: ReadonlySet<string> = new Set();

interface CompletionWish {
  readonly id: string;
  readonly completed: boolean;
}

/** Returns all tasks that are not being deleted, with unconfirmed changes applied. */
export function useTasks() {
  const { api, journal, deletions } = useServices();
  const query = useQuery({
    queryKey: TASKS_KEY,
    queryFn: ({ signal }) => journal.fetch(() => fetchTasks(api, signal)),
    // Live events keep the list current, and after a gap in them it is fetched again.
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: ({ state }) => (state.error === null ? false : RETRY_MS),
  });
  const hiddenIds = useSyncExternalStore(deletions.subscribe, deletions.hiddenIds, () => NONE);
  const wishes = useMutationState({
    filters: { mutationKey: SET_COMPLETED_KEY, status: "pending" },
    select: ({ state }) => state.variables as CompletionWish,
  });
  const tasks = query.data?.items
    .filter(({ id }) => !hiddenIds.has(id))
    .map((task) => {
      const wish = wishes.findLast(({ id }) => id === task.id);
      return wish === undefined ? task : { ...task, completed: wish.completed };
    });
  return { tasks, error: query.error, retry: () => void query.refetch() };
}

/** Completes or reopens `task`: at once on the screen, with requests that are sent one after the other. */
export function useSetCompleted(task: Task) {
  const { api, notices, recordTaskChange } = useServices();
  return useMutation({
    mutationKey: SET_COMPLETED_KEY,
    scope: { id: `task-${task.id}` },
    mutationFn: ({ id, completed }: CompletionWish) => setCompleted(api, id, completed),
    onSuccess: (saved) => { recordTaskChange({ kind: "saved", task: saved }); },
    onError: (error, { completed }) => {
      const action = completed ? "completed" : "reopened";
      notices.report(`“${task.title}” was not ${action}. ${userMessageOf(error)}`);
    },
  });
}

/**
 * Creates a task. It is not shown before the backend answers: it has no id until then, and a live event that arrives
 * before the answer would show it twice.
 */
export function useCreateTask() {
  const { api, recordTaskChange } = useServices();
  return useMutation({
    mutationFn: (task: TaskWrite) => createTask(api, task),
    onSuccess: (saved) => { recordTaskChange({ kind: "saved", task: saved }); },
  });
}
