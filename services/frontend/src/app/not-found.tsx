import Link from "next/link";

export default function NotFound() {
  return (
    <main className="mx-auto flex min-h-dvh max-w-md flex-col items-start justify-center gap-4 p-6">
      <h1 className="text-2xl font-semibold">There is no such page</h1>
      <Link href="/" className="button-primary">To your tasks</Link>
    </main>
  );
}
