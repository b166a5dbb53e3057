/** The events that the gateway sends on `/sse/tasks`, parsed and checked. */
import * as z from "zod/mini";

import type { TaskChange } from "@/features/tasks/task-state";
import type { Notification } from "@/lib/api/types";

export type LiveEvent =
  | { readonly kind: "task"; readonly change: TaskChange }
  | { readonly kind: "notification"; readonly notification: Notification }
  /** An event was missed or malformed, so all data must be fetched again. */
  | { readonly kind: "reset" }
  /** The gateway is about to close the stream and asks clients to reconnect. */
  | { readonly kind: "bye" };

export interface SseMessage {
  readonly event?: string | undefined;
  readonly data: string;
}

const timestamp = z.string().check(z.refine((value) => !Number.isNaN(Date.parse(value))));

const taskEvent = z.object({
  task_id: z.string(),
  task: z.nullable(
    z.object({
      id: z.string(),
      title: z.string(),
      description: z.string(),
      completed: z.boolean(),
      priority: z.enum(["high", "medium", "low"]),
      tags: z._default(z.array(z.string()), []),
      due_date: z.nullable(timestamp),
      created_at: timestamp,
      updated_at: timestamp,
      // A backend that did not count versions yet: which state is newer cannot be told, so everything is fetched again.
      version: z.int(),
    }),
  ),
});

const notificationCreated = z.object({
  notification_id: z.string(),
  kind: z.string(),
  title: z.string(),
  task_id: z.nullable(z.string()),
  link: z.nullable(z.string()),
  created_at: timestamp,
});

/** Returns the event in `message`; null for an event type that this version does not know. */
export function parseLiveEvent({ event, data }: SseMessage): LiveEvent | null {
  switch (event) {
    case "sync.task-changed": {
      const parsed = taskEvent.safeParse(jsonOf(data));
      if (!parsed.success) return { kind: "reset" };
      const { task, task_id: id } = parsed.data;
      return { kind: "task", change: task === null ? { kind: "deleted", id } : { kind: "saved", task } };
    }
    case "notification": {
      const parsed = notificationCreated.safeParse(jsonOf(data));
      if (!parsed.success) return { kind: "reset" };
      const { notification_id: id, ...rest } = parsed.data;
      return { kind: "notification", notification: { id, ...rest, is_read: false } };
    }
    case "sync.reset":
      return { kind: "reset" };
    case "bye":
      return { kind: "bye" };
    default:
      return null;
  }
}

/** Returns the parsed JSON; undefined, which no schema accepts, when the text is not JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
