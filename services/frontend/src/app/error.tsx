"use client";

/** Shown instead of a page that could not be rendered, for example because the database cannot be reached. */
export default function ErrorPage({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <main className="mx-auto flex min-h-dvh max-w-md flex-col items-start justify-center gap-4 p-6">
      <h1 className="text-2xl font-semibold">This page could not be shown</h1>
      <p className="text-muted">
        The server did not manage it. Nothing of yours is lost; try again in a moment.
        {error.digest !== undefined && <> (reference {error.digest})</>}
      </p>
      <button type="button" className="button-primary" onClick={reset}>Try again</button>
    </main>
  );
}
