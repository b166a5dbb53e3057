"use client";

import { Plus } from "lucide-react";
import { type SubmitEvent, useId, useRef, useState } from "react";

import { userMessageOf } from "@/lib/api/errors";
import type { Priority, TaskWrite } from "@/lib/api/types";

import { dueDateOf } from "./due";
import { useCreateTask } from "./use-tasks";

/** The backend's limits. */
const TITLE_MAX = 255;
const DESCRIPTION_MAX = 2_000;

interface Draft {
  readonly title: string;
  readonly description: string;
  readonly priority: Priority;
  readonly day: string;
  readonly time: string;
}

const EMPTY: Draft = { title: "", description: "", priority: "medium", day: "", time: "" };

/** Returns the request body that creates the task of `draft`. */
function requestOf({ title, description, priority, day, time }: Draft): TaskWrite {
  return { title: title.trim(), description: description.trim(), priority, due_date: dueDateOf(day, time) };
}

/** The form for a new task. Keeps its input until the backend has stored the task. */
export function AddTaskForm() {
  const [draft, setDraft] = useState(EMPTY);
  const titleField = useRef<HTMLInputElement>(null);
  const creation = useCreateTask();
  const id = useId();
  const set = (change: Partial<Draft>) => { setDraft((current) => ({ ...current, ...change })); };

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (draft.title.trim() === "" || creation.isPending) return;
    creation.mutate(requestOf(draft), {
      onSuccess: () => {
        setDraft(EMPTY);
        titleField.current?.focus();
      },
    });
  }

  return (
    <form
      onSubmit={submit}
      aria-label="New task"
      className="group rounded-2xl border border-line bg-surface p-3 shadow-sm shadow-black/3 transition-shadow focus-within:shadow-md"
    >
      <div className="flex gap-2">
        <label htmlFor={`${id}-title`} className="sr-only">Title</label>
        <input
          ref={titleField}
          id={`${id}-title`}
          value={draft.title}
          onChange={(event) => { set({ title: event.target.value }); }}
          maxLength={TITLE_MAX}
          autoComplete="off"
          placeholder="Add a task"
          className="min-w-0 grow rounded-lg bg-transparent px-2 py-1.5 text-lg placeholder:text-muted"
        />
        <button
          type="submit"
          className="button-primary flex items-center gap-1.5"
          disabled={draft.title.trim() === "" || creation.isPending}
        >
          <Plus aria-hidden className="size-4" strokeWidth={3} />
          {creation.isPending ? "Adding…" : "Add"}
        </button>
      </div>
      <label htmlFor={`${id}-description`} className="sr-only">Description (optional)</label>
      <textarea
        id={`${id}-description`}
        value={draft.description}
        onChange={(event) => { set({ description: event.target.value }); }}
        maxLength={DESCRIPTION_MAX}
        rows={1}
        placeholder="Details, if there are any"
        className="field-sizing-content max-h-48 w-full resize-none rounded-lg bg-transparent px-2 py-1 text-sm placeholder:text-muted"
      />
      <div className="mt-2 flex flex-wrap items-center gap-x-4 gap-y-2 px-1">
        <PriorityChoice value={draft.priority} onChange={(priority) => { set({ priority }); }} />
        <DueFields draft={draft} onChange={set} />
      </div>
      {creation.isError && (
        <p role="alert" className="mt-3 rounded-lg bg-danger-soft px-3 py-2 text-sm text-danger">
          The task was not added. {userMessageOf(creation.error)}
        </p>
      )}
    </form>
  );
}

const PRIORITIES: readonly (readonly [Priority, string])[] = [["low", "Low"], ["medium", "Medium"], ["high", "High"]];

function PriorityChoice({ value, onChange }: { value: Priority; onChange: (value: Priority) => void }) {
  const name = useId();
  return (
    <fieldset className="flex rounded-lg bg-sunken p-0.5 text-sm">
      <legend className="sr-only">Priority</legend>
      {PRIORITIES.map(([priority, label]) => (
        <label
          key={priority}
          className="rounded-md px-2.5 py-1 text-muted has-checked:bg-surface has-checked:font-medium has-checked:text-ink has-checked:shadow-sm has-focus-visible:outline-2 has-focus-visible:outline-accent"
        >
          <input
            type="radio"
            name={name}
            value={priority}
            checked={value === priority}
            onChange={() => { onChange(priority); }}
            className="sr-only"
          />
          {label}
        </label>
      ))}
    </fieldset>
  );
}

/** A day and, once a day is chosen, an optional time. */
function DueFields({ draft, onChange }: { draft: Draft; onChange: (change: Partial<Draft>) => void }) {
  const id = useId();
  return (
    <div className="flex flex-wrap items-center gap-2 text-sm">
      <label htmlFor={`${id}-day`} className="text-muted">Due</label>
      <input
        id={`${id}-day`}
        type="date"
        value={draft.day}
        onChange={(event) => { onChange({ day: event.target.value }); }}
        className="field px-2 py-1"
      />
      {draft.day !== "" && (
        <>
          <label htmlFor={`${id}-time`} className="text-muted">at</label>
          <input
            id={`${id}-time`}
            type="time"
            value={draft.time}
            onChange={(event) => { onChange({ time: event.target.value }); }}
            className="field px-2 py-1"
          />
        </>
      )}
    </div>
  );
}
