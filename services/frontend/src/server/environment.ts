/**
 * Reads the environment of the server; nothing else does. At run time and never at build time, because the same image
 * is used in all environments. `BUILD_ID` is set in the image, everything else by the deployment.
 */
import { z } from "zod";

const origin = z
  .url({ protocol: /^https?$/, error: "must be an http or https URL" })
  .refine((value) => URL.canParse(value) && new URL(value).origin === value, {
    error: "must be an origin such as https://todo.example.com, without a path or a slash at the end",
  });

const schema = z.object({
  /** libpq URL of the database, used as it is. */
  DATABASE_URL: z.string({ error: "is missing" }).min(1, "is empty"),
  /** The most connections that the process opens; the chart adds them up over all pods. */
  DATABASE_CONNECTIONS: z.coerce.number({ error: "must be a number" }).int("must be whole").min(1, "must be at least 1").default(4),
  /** The public URL. Tokens name it as issuer, and browsers must come from it (else 403 INVALID_ORIGIN). */
  BETTER_AUTH_URL: z.string({ error: "is missing" }).pipe(origin),
  BETTER_AUTH_SECRET: z.string({ error: "is missing" }).min(32, "must have at least 32 characters"),
  BUILD_ID: z.string().min(1).default("dev"),
  LOG_LEVEL: z.enum(["debug", "info", "warning", "error"]).default("info"),
  /** For how long the process accepts requests after SIGTERM, and for how long open ones may go on after that. */
  SHUTDOWN_DELAY_SECONDS: z.coerce.number({ error: "must be a number" }).min(0, "is negative").default(0),
  DRAIN_SECONDS: z.coerce.number({ error: "must be a number" }).min(1, "must be at least 1").default(20),
});

export type Environment = Readonly<z.infer<typeof schema>>;

/** Variables are missing or invalid; the message names all of them. */
export class EnvironmentError extends Error {
  override readonly name = "EnvironmentError";
}

/**
 * Checks `source` and returns its typed form.
 *
 * @throws EnvironmentError, which names all invalid variables and never their values.
 */
export function readEnvironment(source: Readonly<Record<string, string | undefined>>): Environment {
  const result = schema.safeParse(source);
  if (!result.success) {
    const faults = result.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
    throw new EnvironmentError(`The environment is not usable: ${faults.join("; ")}.`);
  }
  return Object.freeze(result.data);
}

let current: Environment | undefined;

/** The environment of this process, checked on first use. */
export function environment(): Environment {
  return (current ??= readEnvironment(process.env));
}
