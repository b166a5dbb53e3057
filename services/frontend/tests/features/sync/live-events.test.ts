// @vitest-environment node
import { existsSync, readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { parseLiveEvent } from "@/features/sync/live-events";

import { aTask } from "../../fakes";

const TASK = aTask();
const TASK_EVENT = { event_type: "task.updated", task_id: TASK.id, user_id: "u", task: TASK, changed_fields: {} };
const NOTIFICATION_EVENT = {
  event_type: "notification.created",
  notification_id: "n1",
  user_id: "u",
  kind: "task.completed",
  title: "Done",
  task_id: TASK.id,
  link: null,
  created_at: "2026-01-01T00:00:00Z",
};

function parse(event: string, data: unknown) {
  return parseLiveEvent({ event, data: typeof data === "string" ? data : JSON.stringify(data) });
}

describe("parseLiveEvent", () => {
  it("reads the new state of a task", () => {
    expect(parse("sync.task-changed", TASK_EVENT)).toEqual({ kind: "task", change: { kind: "saved", task: TASK } });
  });

  it("reads a deletion, which has no state", () => {
    const deleted = { ...TASK_EVENT, event_type: "task.deleted", task: null, changed_fields: null };
    expect(parse("sync.task-changed", deleted)).toEqual({ kind: "task", change: { kind: "deleted", id: TASK.id } });
  });

  it("reads a notification as the unread entry that the service would list", () => {
    expect(parse("notification", NOTIFICATION_EVENT)).toEqual({
      kind: "notification",
      notification: {
        id: "n1",
        kind: "task.completed",
        title: "Done",
        task_id: TASK.id,
        link: null,
        created_at: "2026-01-01T00:00:00Z",
        is_read: false,
      },
    });
  });

  it.each(["sync.reset", "bye"] as const)("reads %s, whatever its data", (event) => {
    expect(parse(event, "")).toEqual({ kind: event === "bye" ? "bye" : "reset" });
  });

  it("ignores an event of a later version", () => {
    expect(parse("sync.tag-changed", {})).toBeNull();
  });

  it("ignores members of a later version", () => {
    const event = { ...TASK_EVENT, actor: "u", task: { ...TASK, assignee: "bob" } };
    expect(parse("sync.task-changed", event)).toEqual({ kind: "task", change: { kind: "saved", task: TASK } });
  });

  it.each([
    ["sync.task-changed", "{"],
    ["sync.task-changed", { ...TASK_EVENT, task: { ...TASK, updated_at: "soon" } }],
    ["sync.task-changed", { ...TASK_EVENT, task: { ...TASK, version: null } }],
    ["sync.task-changed", { task_id: TASK.id }],
    ["notification", { ...NOTIFICATION_EVENT, title: 7 }],
  ])("requires a reload when %s cannot be parsed", (event, data) => {
    expect(parse(event, data)).toEqual({ kind: "reset" });
  });
});

const contracts = new URL("../../../../../contracts/events/", import.meta.url);

interface Schema {
  readonly required: readonly string[];
  readonly properties: Readonly<Record<string, unknown>>;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

function schemaOf(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`${name}.schema.json`, contracts), "utf8")) as Schema;
}

// In the image's build context the folder contracts does not exist.
describe.runIf(existsSync(contracts))("what is read of an event", () => {
  it("matches the contract of task events", () => {
    const schema = schemaOf("task-event");
    expect(schema.required).toEqual(expect.arrayContaining(["task_id", "task"]));
    // A backend before these members sends none: without a version the page reads everything again.
    const required = Object.keys(TASK).filter((name) => name !== "version" && name !== "tags");
    expect(schema.$defs?.["TaskSnapshot"]?.required).toEqual(expect.arrayContaining(required));
    expect(schema.$defs?.["TaskSnapshot"]?.properties).toHaveProperty("version");
  });

  it("matches the contract of notifications", () => {
    const read = ["notification_id", "kind", "title", "task_id", "link", "created_at"];
    expect(schemaOf("notification-created").required).toEqual(expect.arrayContaining(read));
  });
});
