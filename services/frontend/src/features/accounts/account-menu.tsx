"use client";

import { useState } from "react";

import { leavePage, useServices } from "@/features/session/services";
import { announceSessionChange } from "@/features/session/session-channel";

import { authClient } from "./auth-client";
import { outcomeOf } from "./auth-outcome";

const MENU_ID = "account-menu";

interface AccountMenuProps {
  readonly user: { readonly name: string; readonly email: string };
}

/** The signed-in user, and signing out. */
export function AccountMenu({ user }: AccountMenuProps) {
  const { deletions, notices } = useServices();
  const [isPending, setPending] = useState(false);

  async function signOut() {
    setPending(true);
    try {
      // A deletion that can still be undone needs the session when it is sent.
      await deletions.flush();
      const refusal = await outcomeOf((fetchOptions) => authClient.signOut({ fetchOptions }));
      if (refusal === null) {
        announceSessionChange();
        leavePage();
      } else notices.report(`You are still signed in. ${refusal}`);
    } finally {
      setPending(false);
    }
  }

  return (
    <>
      <button
        type="button"
        popoverTarget={MENU_ID}
        aria-label="Account"
        className="ml-1 grid size-9 place-items-center rounded-full bg-accent-soft text-sm font-bold text-accent uppercase"
      >
        {user.name.slice(0, 1)}
      </button>
      <div id={MENU_ID} popover="auto" className="popover-panel w-64 p-2">
        <div className="px-3 py-2">
          <p className="truncate font-semibold">{user.name}</p>
          <p className="truncate text-sm text-muted">{user.email}</p>
        </div>
        <button
          type="button"
          className="button-quiet w-full text-left"
          disabled={isPending}
          onClick={() => void signOut()}
        >
          {isPending ? "Signing out…" : "Sign out"}
        </button>
      </div>
    </>
  );
}
