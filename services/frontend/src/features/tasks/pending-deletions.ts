/**
 * Deletions that the user can still undo. The request is sent only when the undo time is over, so undoing needs no
 * request, and a restored task is the same task, with its id and dates.
 */
import type { Task } from "@/lib/api/types";

/** Long enough to read the message, notice the mistake and reach the button. */
export const UNDO_SECONDS = 10;

interface PendingDeletionsOptions {
  /** Sends the deletion; rejects when the server did not do it. */
  readonly send: (task: Task) => Promise<void>;
  /** Is called when a deletion failed; the task is shown again. */
  readonly onFailure: (error: unknown, task: Task) => void;
}

export class PendingDeletions {
  readonly #options: PendingDeletionsOptions;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #listeners = new Set<() => void>();
  #undoable: readonly Task[] = [];
  #sending: readonly Task[] = [];
  #hiddenIds: ReadonlySet<string> = new Set();

  constructor(options: PendingDeletionsOptions) {
    this.#options = options;
  }

  /** Tasks whose deletion can still be undone, in the order in which they were deleted. */
  readonly undoable = (): readonly Task[] => this.#undoable;

  /** The ids of all tasks to hide: those whose deletion can be undone, and those whose deletion was sent. */
  readonly hiddenIds = (): ReadonlySet<string> => this.#hiddenIds;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Hides `task` and deletes it when the undo time is over. */
  schedule(task: Task): void {
    if (this.#hiddenIds.has(task.id)) return;
    this.#timers.set(task.id, setTimeout(() => void this.#commit(task), UNDO_SECONDS * 1000));
    this.#update([...this.#undoable, task], this.#sending);
  }

  /** Shows the task again, if its deletion has not been sent yet. */
  undo(id: string): void {
    this.#stopTimer(id);
    this.#update(this.#undoable.filter((task) => task.id !== id), this.#sending);
  }

  /** Sends all pending deletions at once, when the page is closed; settles when all are answered, never rejects. */
  async flush(): Promise<void> {
    await Promise.all(this.#undoable.map((task) => this.#commit(task)));
  }

  async #commit(task: Task): Promise<void> {
    this.#stopTimer(task.id);
    this.#update(this.#undoable.filter(({ id }) => id !== task.id), [...this.#sending, task]);
    try {
      await this.#options.send(task);
    } catch (error) {
      this.#options.onFailure(error, task);
    } finally {
      this.#update(this.#undoable, this.#sending.filter(({ id }) => id !== task.id));
    }
  }

  #stopTimer(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  #update(undoable: readonly Task[], sending: readonly Task[]): void {
    this.#undoable = undoable;
    this.#sending = sending;
    this.#hiddenIds = new Set([...undoable, ...sending].map(({ id }) => id));
    for (const listener of this.#listeners) listener();
  }
}
