/**
 * The user's tasks in this browser, and how changes are applied to them. Pure. A change may come as the answer to our
 * own request and as a live event, in any order and more than once. It must neither duplicate a task nor reset it to an
 * older state.
 */
import type { Task } from "@/lib/api/types";

export type TaskChange =
  | { readonly kind: "saved"; readonly task: Task }
  | { readonly kind: "deleted"; readonly id: string };

export interface TaskState {
  /** Newest first. */
  readonly items: readonly Task[];
  /** Ids of tasks that were deleted while the page is open: a late event must not show them again. */
  readonly deletedIds: Readonly<Record<string, true>>;
}

/** Returns `state` after `change`; `state` itself when the change is not new. */
export function applyChange(state: TaskState, change: TaskChange): TaskState {
  if (change.kind === "deleted") {
    if (state.deletedIds[change.id]) return state;
    return {
      items: state.items.filter(({ id }) => id !== change.id),
      deletedIds: { ...state.deletedIds, [change.id]: true },
    };
  }
  const { task } = change;
  if (state.deletedIds[task.id]) return state;
  const known = state.items.find(({ id }) => id === task.id);
  if (known === undefined) return { ...state, items: [...state.items, task].toSorted(newestFirst) };
  if (known.version > task.version) return state;
  return { ...state, items: state.items.map((item) => (item === known ? task : item)) };
}

function newestFirst(first: Task, second: Task): number {
  return Date.parse(second.created_at) - Date.parse(first.created_at);
}

/**
 * Keeps the changes that arrive while a list is being fetched. The server may have read the list before them, so they
 * are applied to it again. Apart from them the fetched list replaces everything that was known before.
 */
export class TaskJournal {
  readonly #recordings = new Set<TaskChange[]>();

  record(change: TaskChange): void {
    for (const recording of this.#recordings) recording.push(change);
  }

  /** Returns the result of `fetchList` with the changes that were recorded since the call. */
  async fetch(fetchList: () => Promise<readonly Task[]>): Promise<TaskState> {
    const recording: TaskChange[] = [];
    this.#recordings.add(recording);
    try {
      const items = await fetchList();
      return recording.reduce(applyChange, { items, deletedIds: {} });
    } finally {
      this.#recordings.delete(recording);
    }
  }
}
