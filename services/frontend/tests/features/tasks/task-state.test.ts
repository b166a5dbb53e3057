// @vitest-environment node
import { describe, expect, it } from "vitest";

import { type TaskChange, type TaskState, TaskJournal, applyChange } from "@/features/tasks/task-state";
import type { Task } from "@/lib/api/types";

import { aTask } from "../../fakes";

const EARLY = "2026-03-01T10:00:00.000001Z";
const LATE = "2026-03-01T10:00:01Z";

function stateOf(...items: Task[]): TaskState {
  return { items, deletedIds: {} };
}

function saved(task: Task): TaskChange {
  return { kind: "saved", task };
}

describe("applyChange", () => {
  it("adds a task that is new, the newest first", () => {
    const [older, newer] = [aTask(), aTask()];
    expect(applyChange(stateOf(older), saved(newer)).items).toEqual([newer, older]);
    expect(applyChange(stateOf(newer), saved(older)).items).toEqual([newer, older]);
  });

  it("does not duplicate a task of which both the answer and the event arrive", () => {
    const task = aTask();
    expect(applyChange(applyChange(stateOf(), saved(task)), saved({ ...task })).items).toEqual([task]);
  });

  it("replaces a task by its newer state in its place", () => {
    const [first, second] = [aTask({ updated_at: EARLY }), aTask()];
    const changed = { ...first, title: "changed", updated_at: LATE };
    expect(applyChange(stateOf(second, first), saved(changed)).items).toEqual([second, changed]);
  });

  it("ignores a state that is older than its own", () => {
    const task = aTask({ updated_at: LATE });
    const state = stateOf(task);
    expect(applyChange(state, saved({ ...task, title: "old", updated_at: EARLY }))).toBe(state);
  });

  it("compares instants, however they are written", () => {
    const task = aTask({ updated_at: "2026-03-01T12:00:00+02:00" });
    const newer = { ...task, title: "newer", updated_at: "2026-03-01T10:00:01Z" };
    expect(applyChange(stateOf(task), saved(newer)).items).toEqual([newer]);
  });

  it("removes a deleted task, and a late event does not bring it back", () => {
    const task = aTask();
    const without = applyChange(stateOf(task), { kind: "deleted", id: task.id });
    expect(without.items).toEqual([]);
    expect(applyChange(without, saved({ ...task, updated_at: LATE }))).toBe(without);
  });

  it("remembers a deletion that overtakes the creation", () => {
    const task = aTask();
    const changes: TaskChange[] = [{ kind: "deleted", id: task.id }, saved(task)];
    expect(changes.reduce(applyChange, stateOf()).items).toEqual([]);
  });

  it("ends in the same state in whatever order two updates and their repetitions arrive", () => {
    const first = aTask({ title: "first", updated_at: EARLY });
    const second = { ...first, title: "second", updated_at: LATE };
    const orders = [[first, second, first], [second, first, second], [first, first, second], [second, second, first]];
    expect(orders.map((order) => order.map(saved).reduce(applyChange, stateOf()).items)).toEqual(orders.map(() => [second]));
  });
});

describe("TaskJournal", () => {
  it("applies the changes that arrived during the request to the fetched list", async () => {
    const journal = new TaskJournal();
    const [kept, deleted, created] = [aTask({ updated_at: EARLY }), aTask(), aTask()];
    const { promise: list, resolve } = Promise.withResolvers<Task[]>();
    const fetched = journal.fetch(() => list);
    const changed = { ...kept, title: "changed", updated_at: LATE };
    journal.record(saved(changed));
    journal.record({ kind: "deleted", id: deleted.id });
    journal.record(saved(created));
    resolve([deleted, kept]);
    expect((await fetched).items).toEqual([created, changed]);
  });

  it("otherwise uses the fetched list as it is: a task that is not in it is removed", async () => {
    const journal = new TaskJournal();
    journal.record(saved(aTask()));
    const listed = aTask();
    expect((await journal.fetch(() => Promise.resolve([listed]))).items).toEqual([listed]);
  });
});
