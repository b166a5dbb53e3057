/**
 * The user's tasks as this browser knows them, and how news changes them. Pure: news comes as answers to our own
 * requests and as live events, in any order and more than once, and must neither double a task nor take one back to an
 * older state.
 */
import type { Task } from "@/lib/api/types";

export type TaskChange =
  | { readonly kind: "saved"; readonly task: Task }
  | { readonly kind: "deleted"; readonly id: string };

export interface TaskState {
  /** Newest first. */
  readonly items: readonly Task[];
  /** Deleted while we watched: a late event about one of them must not bring it back. */
  readonly deletedIds: Readonly<Record<string, true>>;
}

/** `state` after `change`; `state` itself when the change says nothing new. */
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
  if (Date.parse(known.updated_at) > Date.parse(task.updated_at)) return state;
  return { ...state, items: state.items.map((item) => (item === known ? task : item)) };
}

function newestFirst(one: Task, other: Task): number {
  return Date.parse(other.created_at) - Date.parse(one.created_at);
}

/**
 * Keeps the changes that arrive while a list is being fetched. The server may have read its answer before them, so they
 * are applied to it again; the list is otherwise what counts, also over what was known before.
 */
export class TaskJournal {
  readonly #recordings = new Set<TaskChange[]>();

  record(change: TaskChange): void {
    for (const recording of this.#recordings) recording.push(change);
  }

  /** What `fetchList` yields, brought up to date with the changes recorded since the call. */
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
