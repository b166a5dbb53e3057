"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";

import { authClient } from "./auth-client";
import { outcomeOf } from "./auth-outcome";
import { CredentialsForm, Field, textOf } from "./credentials-form";

/** Better Auth's limits. */
const PASSWORD_LENGTH = { minLength: 8, maxLength: 128 };

export function SignUpForm() {
  const router = useRouter();
  return (
    <CredentialsForm
      title="Create an account"
      action="Create account"
      pendingAction="Creating account…"
      onSubmit={(fields) =>
        outcomeOf((fetchOptions) =>
          authClient.signUp.email({
            name: textOf(fields, "name"),
            email: textOf(fields, "email"),
            password: textOf(fields, "password"),
            fetchOptions,
          }),
        )
      }
      onSuccess={() => { router.replace("/"); }}
      footer={<>Have an account? <Link href="/sign-in" className="font-medium text-accent underline">Sign in</Link></>}
    >
      <Field label="Name" name="name" type="text" autoComplete="name" maxLength={100} />
      <Field label="E-mail" name="email" type="email" autoComplete="email" />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="new-password"
        hint="At least 8 characters."
        {...PASSWORD_LENGTH}
      />
    </CredentialsForm>
  );
}
