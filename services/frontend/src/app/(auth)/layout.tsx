import { redirect } from "next/navigation";
import type { ReactNode } from "react";

import { Brand } from "@/features/workspace/brand";
import { signedInUser } from "@/server/auth";

/** The pages for visitors; signed-in users are redirected to their tasks. */
export default async function AuthLayout({ children }: { children: ReactNode }) {
  if ((await signedInUser()) !== null) redirect("/");
  return (
    <main className="mx-auto flex min-h-dvh max-w-sm flex-col justify-center gap-6 p-6">
      <Brand />
      {children}
    </main>
  );
}
