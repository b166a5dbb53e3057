// @vitest-environment node
import { describe, expect, it } from "vitest";

import { EnvironmentError, readEnvironment } from "@/server/environment";

const COMPLETE = {
  DATABASE_URL: "postgresql://user:secret@db/todo?sslmode=require",
  BETTER_AUTH_URL: "https://todo.example.com",
  BETTER_AUTH_SECRET: "x".repeat(32),
};

describe("readEnvironment", () => {
  it("uses the variables as they are and adds the defaults", () => {
    expect(readEnvironment(COMPLETE)).toEqual({
      ...COMPLETE,
      BUILD_ID: "dev",
      LOG_LEVEL: "info",
      SHUTDOWN_DELAY_SECONDS: 0,
      DRAIN_SECONDS: 20,
      DATABASE_CONNECTIONS: 4,
    });
  });

  it("names all invalid variables and no value", () => {
    const faulty = { BETTER_AUTH_SECRET: "hunter2", BETTER_AUTH_URL: "https://todo.example.com" };
    expect(() => readEnvironment(faulty)).toThrow(
      new EnvironmentError(
        "The environment is not usable: DATABASE_URL is missing; BETTER_AUTH_SECRET must have at least 32 characters.",
      ),
    );
  });

  it.each(["https://todo.example.com/", "https://todo.example.com/app", "todo.example.com", "ftp://todo.example.com"])(
    "refuses %s as public URL, which must equal the issuer that the services expect",
    (url) => {
      expect(() => readEnvironment({ ...COMPLETE, BETTER_AUTH_URL: url })).toThrow(/BETTER_AUTH_URL must be an/);
    },
  );
});
