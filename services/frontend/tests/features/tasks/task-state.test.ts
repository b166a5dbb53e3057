// @vitest-environment node
import { describe, expect, it } from "vitest";

import { type TaskChange, type TaskState, TaskJournal, applyChange } from "@/features/tasks/task-state";
import type { Task } from "@/lib/api/types";

import { aTask } from "../../fakes";

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
    const [first, second] = [aTask({ version: 1 }), aTask()];
    const changed = { ...first, title: "changed", version: 2 };
    expect(applyChange(stateOf(second, first), saved(changed)).items).toEqual([second, changed]);
  });

  it("ignores a state that is older than its own, whatever the clocks say", () => {
    const task = aTask({ version: 2, updated_at: "2026-03-01T10:00:00Z" });
    const state = stateOf(task);
    const old = { ...task, title: "old", version: 1, updated_at: "2026-03-01T10:00:01Z" };
    expect(applyChange(state, saved(old))).toBe(state);
  });

  it("removes a deleted task, and a late event does not bring it back", () => {
    const task = aTask();
    const without = applyChange(stateOf(task), { kind: "deleted", id: task.id });
    expect(without.items).toEqual([]);
    expect(applyChange(without, saved({ ...task, version: 2 }))).toBe(without);
  });

  it("remembers a deletion that overtakes the creation", () => {
    const task = aTask();
    const changes: TaskChange[] = [{ kind: "deleted", id: task.id }, saved(task)];
    expect(changes.reduce(applyChange, stateOf()).items).toEqual([]);
  });

  it("ends in the same state in whatever order two updates and their repetitions arrive", () => {
    const first = aTask({ title: "first", version: 1 });
    const second = { ...first, title: "second", version: 2 };
    const orders = [[first, second, first], [second, first, second], [first, first, second], [second, second, first]];
    expect(orders.map((order) => order.map(saved).reduce(applyChange, stateOf()).items)).toEqual(orders.map(() => [second]));
  });
});

describe("TaskJournal", () => {
  it("applies the changes that arrived during the request to the fetched list", async () => {
    const journal = new TaskJournal();
    const [kept, deleted, created] = [aTask({ version: 1 }), aTask(), aTask()];
    const { promise: list, resolve } = Promise.withResolvers<Task[]>();
    const fetched = journal.fetch(() => list);
    const changed = { ...kept, title: "changed", version: 2 };
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
