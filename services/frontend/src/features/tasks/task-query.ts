/** The key of the tasks in the query cache, and how changes are applied there. */
import { type TaskChange, type TaskState, applyChange } from "./task-state";

export const TASKS_KEY = ["tasks"] as const;

/** Returns an updater of the cache. It changes nothing before the first list: the journal keeps such changes. */
export function taskStateAfter(change: TaskChange): (state: TaskState | undefined) => TaskState | undefined {
  return (state) => state && applyChange(state, change);
}
