/** The JSON of the services under short names: the backend's generated from its contract, the others' by hand. */
import type { components } from "./schema";

export type Task = components["schemas"]["Task"];
export type TaskWrite = components["schemas"]["TaskWrite"];
export type TaskPatch = components["schemas"]["TaskPatch"];
export type TaskPage = components["schemas"]["TaskPage"];
export type Priority = Task["priority"];

/** One entry of the notification centre, as the service notification writes it (its `notifications/schemas.py`). */
export interface Notification {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly task_id: string | null;
  readonly link: string | null;
  readonly is_read: boolean;
  readonly created_at: string;
}

export interface NotificationPage {
  readonly items: readonly Notification[];
  readonly next_cursor: string | null;
}
