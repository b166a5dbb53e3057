"use client";

/** The main part of the page: the date, a form for new tasks, and the list in sections. */
import { ListChecks } from "lucide-react";
import type { ReactNode } from "react";

import { userMessageOf } from "@/lib/api/errors";
import type { Task } from "@/lib/api/types";
import { useNow } from "@/lib/use-now";

import { AddTaskForm } from "./add-task-form";
import { type TaskSections, sectionsOf } from "./due";
import { TaskRow } from "./task-row";
import { useTasks } from "./use-tasks";

export function TaskBoard() {
  const { tasks, error, retry } = useTasks();
  const minute = useNow();
  const now = minute === null ? null : new Date(minute);
  const sections = tasks === undefined || now === null ? null : sectionsOf(tasks, now);
  return (
    <div className="flex flex-col gap-6">
      <DayHeading now={now} sections={sections} />
      <AddTaskForm />
      {sections !== null && error !== null && <OutOfDate message={userMessageOf(error)} onRetry={retry} />}
      {sections !== null && now !== null ? (
        <Sections sections={sections} now={now} />
      ) : error !== null ? (
        <LoadFailure message={userMessageOf(error)} onRetry={retry} />
      ) : (
        <Skeleton />
      )}
    </div>
  );
}

function DayHeading({ now, sections }: { now: Date | null; sections: TaskSections | null }) {
  return (
    <div className="flex min-h-17 flex-col gap-1">
      <h1 className="text-3xl font-bold tracking-tight">
        {now === null ? "Today" : now.toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long" })}
      </h1>
      <p className="text-muted">{sections === null ? " " : summaryOf(sections)}</p>
    </div>
  );
}

/** "1 overdue, 2 due today, 4 more open". */
function summaryOf({ overdue, today, later, none, done }: TaskSections): string {
  const more = later.length + none.length;
  const parts = [
    overdue.length > 0 && `${overdue.length} overdue`,
    today.length > 0 && `${today.length} due today`,
    more > 0 && `${more} ${overdue.length + today.length > 0 ? "more " : ""}open`,
  ].filter((part) => part !== false);
  if (parts.length > 0) return parts.join(", ");
  return done.length > 0 ? "Everything is done." : "Nothing planned yet.";
}

function Sections({ sections, now }: { sections: TaskSections; now: Date }) {
  const { overdue, today, later, none, done } = sections;
  const hasOpen = overdue.length + today.length + later.length + none.length > 0;
  return (
    <>
      {!hasOpen && <Empty isAllDone={done.length > 0} />}
      <Section title="Overdue" tone="text-danger" tasks={overdue} now={now} />
      <Section title="Today" tasks={today} now={now} />
      <Section title="Upcoming" tasks={later} now={now} />
      <Section title="Anytime" tasks={none} now={now} />
      {done.length > 0 && (
        <details className="group/done">
          <summary className="button-quiet w-fit select-none">Completed ({done.length})</summary>
          <TaskList tasks={done} now={now} />
        </details>
      )}
    </>
  );
}

interface SectionProps {
  readonly title: string;
  readonly tone?: string;
  readonly tasks: readonly Task[];
  readonly now: Date;
}

function Section({ title, tone = "text-muted", tasks, now }: SectionProps) {
  if (tasks.length === 0) return null;
  return (
    <section aria-label={title}>
      <h2 className={`mb-2 flex items-baseline gap-2 px-1 text-sm font-semibold ${tone}`}>
        {title}
        <span className="font-normal tabular-nums">{tasks.length}</span>
      </h2>
      <TaskList tasks={tasks} now={now} />
    </section>
  );
}

function TaskList({ tasks, now }: { tasks: readonly Task[]; now: Date }) {
  return (
    <ul className="divide-y divide-line overflow-hidden rounded-2xl border border-line bg-surface">
      {tasks.map((task) => <TaskRow key={task.id} task={task} now={now} />)}
    </ul>
  );
}

function Empty({ isAllDone }: { isAllDone: boolean }) {
  return (
    <Panel>
      <ListChecks aria-hidden className="size-10 text-accent" strokeWidth={1.5} />
      <p className="text-lg font-semibold">{isAllDone ? "All done" : "No tasks yet"}</p>
      <p className="text-muted">
        {isAllDone ? "Enjoy the quiet, or add what comes next." : "Write down the first thing on your mind above."}
      </p>
    </Panel>
  );
}

/** Shown above a list that was loaded once and could not be fetched again after live events were missed. */
function OutOfDate({ message, onRetry }: { message: string; onRetry: () => void }) {
  return (
    <p role="status" className="flex items-center gap-3 rounded-lg bg-danger-soft px-3 py-2 text-sm text-danger">
      <span className="grow">This list may be out of date. {message}</span>
      <button type="button" className="button-quiet" onClick={onRetry}>Try again</button>
    </p>
  );
}

function LoadFailure({ message, onRetry }: { message: string; onRetry: () => void }) {
  return (
    <Panel role="alert">
      <p className="text-lg font-semibold">Your tasks could not be loaded</p>
      <p className="text-muted">{message}</p>
      <button type="button" className="button-primary mt-2" onClick={onRetry}>Try again</button>
    </Panel>
  );
}

function Panel({ children, role }: { children: ReactNode; role?: "alert" }) {
  return (
    <div role={role} className="flex flex-col items-center gap-1.5 rounded-2xl border border-dashed border-line px-6 py-12 text-center">
      {children}
    </div>
  );
}

function Skeleton() {
  return (
    <div role="status" aria-label="Loading your tasks" className="overflow-hidden rounded-2xl border border-line bg-surface">
      {["w-2/3", "w-1/2", "w-3/5", "w-2/5"].map((width) => (
        <div key={width} className="flex animate-pulse items-center gap-3 px-4 py-4">
          <div className="size-5 rounded-full bg-sunken" />
          <div className={`h-4 rounded bg-sunken ${width}`} />
        </div>
      ))}
    </div>
  );
}
