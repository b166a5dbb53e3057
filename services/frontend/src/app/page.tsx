import { redirect } from "next/navigation";

import { Workspace } from "@/features/workspace/workspace";
import { signedInUser } from "@/server/auth";

/** The task list. The data itself is read from the services with the user's token. */
export default async function TasksPage() {
  const user = await signedInUser();
  if (user === null) redirect("/sign-in");
  return <Workspace user={user} />;
}
