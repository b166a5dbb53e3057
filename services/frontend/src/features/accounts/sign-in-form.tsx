"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";

import { authClient } from "./auth-client";
import { outcomeOf } from "./auth-outcome";
import { CredentialsForm, Field, textOf } from "./credentials-form";

export function SignInForm() {
  const router = useRouter();
  return (
    <CredentialsForm
      title="Welcome back"
      action="Sign in"
      pendingAction="Signing in…"
      onSubmit={(fields) =>
        outcomeOf((fetchOptions) =>
          authClient.signIn.email({
            email: textOf(fields, "email"),
            password: textOf(fields, "password"),
            fetchOptions,
          }),
        )
      }
      onSuccess={() => { router.replace("/"); }}
      footer={<>New here? <Link href="/sign-up" className="font-medium text-accent underline">Create an account</Link></>}
    >
      <Field label="E-mail" name="email" type="email" autoComplete="email" />
      <Field label="Password" name="password" type="password" autoComplete="current-password" />
    </CredentialsForm>
  );
}
