"use client";

/** What the two account forms share: fields, a single attempt at a time, and the reason of a failure. */
import { type ReactNode, type SubmitEvent, useId, useState } from "react";

import { announceSessionChange } from "@/features/session/session-channel";

interface CredentialsFormProps {
  readonly title: string;
  readonly action: string;
  readonly pendingAction: string;
  /** Signs in or up; returns null on success, else the reason to show. */
  readonly onSubmit: (fields: FormData) => Promise<string | null>;
  readonly onSuccess: () => void;
  readonly children: ReactNode;
  readonly footer: ReactNode;
}

export function CredentialsForm(props: CredentialsFormProps) {
  const [failure, setFailure] = useState<string | null>(null);
  const [isPending, setPending] = useState(false);

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    setPending(true);
    setFailure(null);
    try {
      const reason = await props.onSubmit(fields);
      setFailure(reason);
      if (reason === null) {
        announceSessionChange();
        props.onSuccess();
      }
    } finally {
      setPending(false);
    }
  }

  return (
    <form
      onSubmit={(event) => void submit(event)}
      className="flex flex-col gap-4 rounded-2xl border border-line bg-surface p-6"
    >
      <h1 className="text-xl font-semibold">{props.title}</h1>
      {props.children}
      {failure !== null && (
        <p role="alert" className="rounded-lg bg-danger-soft px-3 py-2 text-sm text-danger">{failure}</p>
      )}
      <button type="submit" className="button-primary" disabled={isPending}>
        {isPending ? props.pendingAction : props.action}
      </button>
      <p className="text-sm text-muted">{props.footer}</p>
    </form>
  );
}

interface FieldProps {
  readonly label: string;
  readonly name: string;
  readonly type: "text" | "email" | "password";
  readonly autoComplete: string;
  readonly hint?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
}

/** A required field with its label and an optional hint, which screen readers read with it. */
export function Field({ label, hint, ...input }: FieldProps) {
  const id = useId();
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">{label}</label>
      <input {...input} id={id} required aria-describedby={hint && `${id}-hint`} className="field" />
      {hint !== undefined && <p id={`${id}-hint`} className="text-xs text-muted">{hint}</p>}
    </div>
  );
}

/** Returns the text of the field `name`; empty when it is absent. */
export function textOf(fields: FormData, name: string): string {
  const value = fields.get(name);
  return typeof value === "string" ? value : "";
}
