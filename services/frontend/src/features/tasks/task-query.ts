/** Where the tasks lie in the query cache, and how that place changes. */
import { type TaskChange, type TaskState, applyChange } from "./task-state";

export const TASKS_KEY = ["tasks"] as const;

/** An updater for the cache. Before the first list has come there is nothing to change: the journal keeps the news. */
export function taskStateAfter(change: TaskChange): (state: TaskState | undefined) => TaskState | undefined {
  return (state) => state && applyChange(state, change);
}
