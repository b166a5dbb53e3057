"use client";

/** Messages at the bottom of the page: deletions that can be undone, and errors. */
import { X } from "lucide-react";
import { type ReactNode, useEffect, useRef, useSyncExternalStore } from "react";

import { useServices } from "@/features/session/services";
import type { Task } from "@/lib/api/types";

import type { Notice } from "./notices";

const NO_TASKS: readonly Task[] = [];
const NO_NOTICES: readonly Notice[] = [];

export function ToastRegion() {
  const { deletions, notices } = useServices();
  const undoable = useSyncExternalStore(deletions.subscribe, deletions.undoable, () => NO_TASKS);
  const messages = useSyncExternalStore(notices.subscribe, notices.list, () => NO_NOTICES);

  useEffect(() => {
    // A page that is closed cannot offer to undo any more, so its deletions are sent.
    const flush = () => void deletions.flush();
    window.addEventListener("pagehide", flush);
    return () => { window.removeEventListener("pagehide", flush); };
  }, [deletions]);

  return (
    <div className="pointer-events-none fixed inset-x-0 bottom-0 z-20 flex flex-col items-center gap-2 p-4">
      <div role="alert" className="contents">
        {messages.map(({ id, message }) => (
          <Toast key={id} text={message}>
            <button type="button" aria-label="Dismiss" className="toast-button" onClick={() => { notices.dismiss(id); }}>
              <X aria-hidden className="size-4" />
            </button>
          </Toast>
        ))}
      </div>
      <div role="status" className="contents">
        {undoable.map((task) => (
          <Toast key={task.id} text={`Deleted “${task.title}”`}>
            <UndoButton onUndo={() => { deletions.undo(task.id); }} />
          </Toast>
        ))}
      </div>
    </div>
  );
}

/** Takes the focus, which was on the deleted row. */
function UndoButton({ onUndo }: { onUndo: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus(), []);
  return (
    <button ref={button} type="button" className="toast-button font-semibold" onClick={onUndo}>Undo</button>
  );
}

function Toast({ text, children }: { text: string; children: ReactNode }) {
  return (
    <div className="pointer-events-auto flex w-full max-w-md items-center gap-3 rounded-xl bg-ink py-2 pr-2 pl-4 text-canvas shadow-lg shadow-black/20">
      <p className="line-clamp-3 min-w-0 grow wrap-anywhere">{text}</p>
      {children}
    </div>
  );
}
