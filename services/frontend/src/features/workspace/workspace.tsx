"use client";

/** The page of a signed-in user. */
import { NotificationBell } from "@/features/notifications/notification-bell";
import { AccountMenu } from "@/features/accounts/account-menu";
import { ToastRegion } from "@/features/feedback/toast-region";
import { ConnectionIndicator } from "@/features/sync/connection-indicator";
import { useLiveSync } from "@/features/sync/use-live-sync";
import { TaskBoard } from "@/features/tasks/task-board";

import { Brand } from "./brand";
import { ServicesProvider } from "@/features/session/services";

interface WorkspaceProps {
  readonly user: { readonly id: string; readonly name: string; readonly email: string };
}

export function Workspace({ user }: WorkspaceProps) {
  return (
    <ServicesProvider userId={user.id}>
      <Header user={user} />
      <main className="mx-auto max-w-3xl px-4 pt-8 pb-32 sm:px-6">
        <TaskBoard />
      </main>
      <ToastRegion />
    </ServicesProvider>
  );
}

function Header({ user }: WorkspaceProps) {
  const status = useLiveSync();
  return (
    <header className="sticky top-0 z-10 border-b border-line bg-canvas/85 backdrop-blur">
      <div className="mx-auto flex h-16 max-w-3xl items-center gap-1 px-4 sm:px-6">
        <Brand />
        <div className="grow" />
        <ConnectionIndicator status={status} />
        <NotificationBell />
        <AccountMenu user={user} />
      </div>
    </header>
  );
}
