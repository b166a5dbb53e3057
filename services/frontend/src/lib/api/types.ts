/** Types of the services' JSON: the backend's are generated from its contract, the others are written by hand. */
import type { components } from "./schema";

export type Task = components["schemas"]["Task"];
export type TaskWrite = components["schemas"]["TaskWrite"];
export type TaskPatch = components["schemas"]["TaskPatch"];
export type TaskPage = components["schemas"]["TaskPage"];
export type Priority = Task["priority"];

/** A notification, as the service notification returns it (its `notifications/schemas.py`). */
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
