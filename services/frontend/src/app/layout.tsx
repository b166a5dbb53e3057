import "./globals.css";

import type { Metadata, Viewport } from "next";
import { connection } from "next/server";
import type { ReactNode } from "react";

export const metadata: Metadata = {
  title: { default: "Todo", template: "%s · Todo" },
  description: "Your tasks, the same on every screen.",
};

export const viewport: Viewport = { colorScheme: "light dark" };

export default async function RootLayout({ children }: { children: ReactNode }) {
  // No page is rendered at build time, because the policy has a new nonce for each request.
  await connection();
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
