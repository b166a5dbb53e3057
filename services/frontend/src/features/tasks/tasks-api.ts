/** The backend's routes for tasks. */
import type { ApiClient } from "@/lib/api/client";
import type { Task, TaskPage, TaskPatch, TaskWrite } from "@/lib/api/types";

const PAGE_SIZE = 100;

/** Returns all tasks of the user, page by page: sections such as "overdue" need the whole list. */
export async function fetchTasks(api: ApiClient, signal?: AbortSignal): Promise<Task[]> {
  const tasks: Task[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ limit: String(PAGE_SIZE), ...(cursor !== null && { cursor }) });
    const page: TaskPage = await api.request("GET", `/api/todos?${query}`, signal && { signal });
    tasks.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return tasks;
}

export function createTask(api: ApiClient, task: TaskWrite): Promise<Task> {
  return api.request("POST", "/api/todos", { body: task });
}

/** Sets the state and does not toggle it, so a repeated request, or one of another tab, gives the same result. */
export function setCompleted(api: ApiClient, id: string, completed: boolean): Promise<Task> {
  const patch: TaskPatch = { completed };
  return api.request("PATCH", `/api/todos/${id}`, { body: patch });
}

export async function deleteTask(api: ApiClient, id: string): Promise<void> {
  await api.request("DELETE", `/api/todos/${id}`, { keepalive: true });
}
