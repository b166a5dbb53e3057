// @vitest-environment node
import { Client } from "pg";
import { describe, expect, it } from "vitest";

import { asLibpq } from "@/server/database";

/** How node-postgres would secure a connection to `url`. */
function securityOf(url: string): unknown {
  return (new Client({ connectionString: asLibpq(url) }) as unknown as { ssl: unknown }).ssl;
}

describe("asLibpq", () => {
  it("encrypts without checking the certificate for sslmode=require, as libpq does", () => {
    expect(securityOf("postgresql://u:p@db.test/todo?sslmode=require")).toMatchObject({ rejectUnauthorized: false });
  });

  it("checks the certificate for sslmode=verify-full", () => {
    expect(securityOf("postgresql://u:p@db.test/todo?sslmode=verify-full")).toEqual({});
  });

  it("uses no TLS for a local address", () => {
    expect(securityOf("postgresql://u:p@localhost/todo")).toBe(false);
  });
});
