"use client";

import { ArrowDown, ArrowUp, CalendarDays, Check, Trash2 } from "lucide-react";
import { useId } from "react";

import { useServices } from "@/features/session/services";
import type { Priority, Task } from "@/lib/api/types";

import { type DueState, dueStateOf, formatDue } from "./due";
import { useSetCompleted } from "./use-tasks";

interface TaskRowProps {
  readonly task: Task;
  readonly now: Date;
}

/** A task: its state, its urgency, and its actions. */
export function TaskRow({ task, now }: TaskRowProps) {
  const { deletions } = useServices();
  const { mutate: wish } = useSetCompleted(task);
  const id = useId();
  return (
    <li className="group flex items-start gap-3 px-4 py-3 transition-colors hover:bg-sunken/60">
      <span className="relative mt-0.5 grid size-5 shrink-0 place-items-center">
        <input
          id={id}
          type="checkbox"
          checked={task.completed}
          onChange={(event) => { wish({ id: task.id, completed: event.target.checked }); }}
          className={`peer size-5 cursor-pointer appearance-none rounded-full border-2 transition-colors checked:border-accent checked:bg-accent hover:border-accent ${circles[task.priority]}`}
        />
        <Check
          aria-hidden
          className="pointer-events-none absolute size-3.5 text-on-accent opacity-0 peer-checked:opacity-100"
          strokeWidth={3.5}
        />
      </span>
      <div className="min-w-0 grow sm:flex sm:items-start sm:justify-between sm:gap-4">
        <div className="min-w-0">
          <label
            htmlFor={id}
            className={`wrap-anywhere cursor-pointer ${task.completed ? "text-muted line-through" : "font-medium"}`}
          >
            {task.title}
          </label>
          {task.description !== "" && (
            <p className="mt-0.5 line-clamp-2 text-sm wrap-anywhere whitespace-pre-line text-muted">{task.description}</p>
          )}
        </div>
        {!task.completed && <Facts task={task} now={now} />}
      </div>
      <button
        type="button"
        aria-label={`Delete “${task.title}”`}
        onClick={() => { deletions.schedule(task); }}
        className="reveal -my-1 -mr-2 grid size-8 shrink-0 place-items-center rounded-lg text-muted hover:bg-danger-soft hover:text-danger"
      >
        <Trash2 aria-hidden className="size-4" />
      </button>
    </li>
  );
}

const circles: Record<Priority, string> = {
  high: "border-danger",
  medium: "border-edge",
  low: "border-edge",
};

/** Due date and priority, in words and not only by colour; a medium priority is not shown. */
function Facts({ task, now }: TaskRowProps) {
  const due = dueStateOf(task.due_date, now);
  if (due === "none" && task.priority === "medium") return null;
  return (
    <p className="mt-1.5 flex shrink-0 flex-wrap gap-1.5 text-xs font-medium sm:mt-0.5">
      {task.due_date !== null && (
        <span className={`${chip} ${dueTones[due]}`}>
          <CalendarDays aria-hidden className="size-3.5" />
          {due === "overdue" && <span className="sr-only">Overdue: </span>}
          <time dateTime={task.due_date}>{formatDue(task.due_date, now)}</time>
        </span>
      )}
      {task.priority === "high" && (
        <span className={`${chip} bg-danger-soft text-danger`}><ArrowUp aria-hidden className="size-3.5" />High</span>
      )}
      {task.priority === "low" && (
        <span className={`${chip} bg-sunken text-muted`}><ArrowDown aria-hidden className="size-3.5" />Low</span>
      )}
    </p>
  );
}

const chip = "inline-flex items-center gap-1 rounded-full px-2 py-0.5";

const dueTones: Record<DueState, string> = {
  overdue: "bg-danger-soft text-danger",
  today: "bg-warning-soft text-warning",
  later: "bg-sunken text-muted",
  none: "",
};
