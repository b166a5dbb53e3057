/** Due dates in the user's own time zone. */
import type { Task } from "@/lib/api/types";

export type DueState = "overdue" | "today" | "later" | "none";

/** Returns how urgent an open task is at `now`: overdue after its due date, `today` until the end of the day. */
export function dueStateOf(dueDate: string | null, now: Date): DueState {
  if (dueDate === null) return "none";
  const due = new Date(dueDate);
  if (due < now) return "overdue";
  return isSameDay(due, now) ? "today" : "later";
}

/**
 * Returns the due date for the input of the form: `day` as yyyy-mm-dd and `time` as hh:mm, both local. Without a time,
 * a task is due at the end of the day.
 */
export function dueDateOf(day: string, time: string): string | null {
  if (day === "") return null;
  return new Date(`${day}T${time === "" ? "23:59:59" : time}`).toISOString();
}

/** Returns "Today", "Tomorrow 09:00" or "Fri 27 Nov"; the time only if it was chosen. */
export function formatDue(dueDate: string, now: Date, locale?: string): string {
  const due = new Date(dueDate);
  const time = isEndOfDay(due) ? "" : ` ${due.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" })}`;
  return `${formatDay(due, now, locale)}${time}`;
}

function formatDay(day: Date, now: Date, locale?: string): string {
  const nearby: readonly (readonly [number, string])[] = [[-1, "Yesterday"], [0, "Today"], [1, "Tomorrow"]];
  for (const [offset, name] of nearby) {
    if (isSameDay(day, new Date(now.getFullYear(), now.getMonth(), now.getDate() + offset))) return name;
  }
  const year = day.getFullYear() === now.getFullYear() ? {} : { year: "numeric" as const };
  return day.toLocaleDateString(locale, { weekday: "short", day: "numeric", month: "short", ...year });
}

function isSameDay(first: Date, second: Date): boolean {
  return first.toDateString() === second.toDateString();
}

function isEndOfDay(date: Date): boolean {
  return date.getHours() === 23 && date.getMinutes() === 59;
}

export interface TaskSections {
  readonly overdue: readonly Task[];
  readonly today: readonly Task[];
  readonly later: readonly Task[];
  readonly none: readonly Task[];
  readonly done: readonly Task[];
}

const weights = { high: 0, medium: 1, low: 2 } as const;

/**
 * Returns the sections of the list: open tasks by urgency, and within a section by due date, then priority; completed
 * tasks in a section of their own, the last changed first.
 */
export function sectionsOf(tasks: readonly Task[], now: Date): TaskSections {
  const open = tasks
    .filter(({ completed }) => !completed)
    .toSorted((left, right) => dueTime(left) - dueTime(right) || weights[left.priority] - weights[right.priority]);
  const of = (state: DueState) => open.filter(({ due_date }) => dueStateOf(due_date, now) === state);
  const done = tasks
    .filter(({ completed }) => completed)
    .toSorted((first, second) => Date.parse(second.updated_at) - Date.parse(first.updated_at));
  return { overdue: of("overdue"), today: of("today"), later: of("later"), none: of("none"), done };
}

function dueTime({ due_date }: Task): number {
  return due_date === null ? Number.MAX_SAFE_INTEGER : Date.parse(due_date);
}
