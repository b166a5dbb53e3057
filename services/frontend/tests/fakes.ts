/** Doubles of the services. */
import { vi } from "vitest";

import type { Notification, Task } from "@/lib/api/types";

let counter = 0;

export function aTask(fields: Partial<Task> = {}): Task {
  counter += 1;
  return {
    id: `00000000-0000-4000-8000-${String(counter).padStart(12, "0")}`,
    title: `Task ${counter}`,
    description: "",
    completed: false,
    priority: "medium",
    tags: [],
    due_date: null,
    created_at: new Date(Date.UTC(2026, 0, 1, 0, counter)).toISOString(),
    updated_at: new Date(Date.UTC(2026, 0, 1, 0, counter)).toISOString(),
    version: 1,
    ...fields,
  };
}

export function aNotification(fields: Partial<Notification> = {}): Notification {
  counter += 1;
  return {
    id: `n${counter}`,
    kind: "task.completed",
    title: `Notification ${counter}`,
    task_id: null,
    link: null,
    is_read: false,
    created_at: "2026-01-01T12:00:00Z",
    ...fields,
  };
}

/** An unsigned token that expires at `expiresAt` (milliseconds since the epoch). */
export function aToken(expiresAt: number, name = "token", sub = "ann"): string {
  const encode = (value: object) => btoa(JSON.stringify(value)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return `${encode({ alg: "EdDSA" })}.${encode({ exp: Math.floor(expiresAt / 1000), name, sub })}.signature`;
}

export interface ServedRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly headers: Headers;
}

type Answer = (request: ServedRequest) => Response | Promise<Response>;

/**
 * Replaces the global `fetch` by `routes` ("GET /api/todos", without query); requests for a token always succeed.
 * Returns all other requests. A request without a route fails the test that made it.
 */
export function serve(routes: Readonly<Record<string, Answer>>): ServedRequest[] {
  const seen: ServedRequest[] = [];
  vi.stubGlobal("fetch", async (input: string, init: RequestInit = {}): Promise<Response> => {
    if (input === "/api/auth/token") return Response.json({ token: aToken(Date.now() + 900_000) });
    const [path = ""] = input.split("?");
    const method = init.method ?? "GET";
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    const request = { method, path, body, headers: new Headers(init.headers) };
    seen.push(request);
    const answer = routes[`${method} ${path}`];
    if (answer === undefined) throw new Error(`No route for ${method} ${path}`);
    return answer(request);
  });
  return seen;
}

export function aProblem(status: number, detail: string): Response {
  return Response.json({ type: "about:blank", title: "Refused", status, detail, request_id: "r-1" }, { status });
}
