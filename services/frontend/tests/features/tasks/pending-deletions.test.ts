// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { PendingDeletions, UNDO_SECONDS } from "@/features/tasks/pending-deletions";
import type { Task } from "@/lib/api/types";

import { aTask } from "../../fakes";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

function someDeletions() {
  const send = vi.fn<(task: Task) => Promise<void>>(() => Promise.resolve());
  const onFailure = vi.fn();
  return { deletions: new PendingDeletions({ send, onFailure }), send, onFailure };
}

describe("PendingDeletions", () => {
  it("gives the user at least ten seconds", () => {
    expect(UNDO_SECONDS).toBeGreaterThanOrEqual(10);
  });

  it("hides the task at once and sends the deletion when the undo time is over", async () => {
    const { deletions, send } = someDeletions();
    const task = aTask();
    deletions.schedule(task);
    expect(deletions.hiddenIds()).toEqual(new Set([task.id]));
    await vi.advanceTimersByTimeAsync(UNDO_SECONDS * 1000 - 1);
    expect(send).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(send).toHaveBeenCalledExactlyOnceWith(task);
  });

  it("shows the task again when undone, and never sends anything", async () => {
    const { deletions, send } = someDeletions();
    const task = aTask();
    deletions.schedule(task);
    deletions.undo(task.id);
    expect(deletions.hiddenIds().size).toBe(0);
    await vi.runAllTimersAsync();
    expect(send).not.toHaveBeenCalled();
  });

  it("keeps the task hidden, but no longer undoable, while the request is running", async () => {
    const { deletions, send } = someDeletions();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    send.mockReturnValueOnce(promise);
    const task = aTask();
    deletions.schedule(task);
    await vi.runAllTimersAsync();
    expect(deletions.undoable()).toEqual([]);
    expect(deletions.hiddenIds()).toEqual(new Set([task.id]));
    resolve(undefined);
    await vi.runAllTimersAsync();
    expect(deletions.hiddenIds().size).toBe(0);
  });

  it("shows the task again and says why when the server did not delete it", async () => {
    const { deletions, send, onFailure } = someDeletions();
    const failure = new Error("no");
    send.mockRejectedValueOnce(failure);
    const task = aTask();
    deletions.schedule(task);
    await vi.runAllTimersAsync();
    expect(onFailure).toHaveBeenCalledExactlyOnceWith(failure, task);
    expect(deletions.hiddenIds().size).toBe(0);
  });

  it("sends all pending deletions once when the page is closed", async () => {
    const { deletions, send } = someDeletions();
    const tasks = [aTask(), aTask()];
    tasks.forEach((task) => { deletions.schedule(task); });
    await deletions.flush();
    await vi.runAllTimersAsync();
    expect(send.mock.calls).toEqual(tasks.map((task) => [task]));
  });

  it("counts a second click on the same task as the first", async () => {
    const { deletions, send } = someDeletions();
    const task = aTask();
    deletions.schedule(task);
    deletions.schedule(task);
    expect(deletions.undoable()).toEqual([task]);
    await vi.runAllTimersAsync();
    expect(send).toHaveBeenCalledTimes(1);
  });
});
