// @vitest-environment node
import { describe, expect, it, vi } from "vitest";

import { OtherAccountError, ProblemError, SignedOutError, UnreachableError } from "@/lib/api/errors";
import { TokenSource } from "@/lib/api/token-source";

import { aProblem, aToken } from "../fakes";

const LIFETIME_MS = 900_000;

/** A source with a clock that `passes` advances; the endpoint numbers its tokens. */
function aSource() {
  let now = 1_800_000_000_000;
  const send = vi.fn(() =>
    Promise.resolve(Response.json({ token: aToken(now + LIFETIME_MS, `token ${send.mock.calls.length}`) })),
  );
  const source = new TokenSource({ userId: "ann", fetch: send, now: () => now });
  return { source, send, passes: (milliseconds: number) => { now += milliseconds; } };
}

describe("TokenSource", () => {
  it("fetches a single token for concurrent and later callers", async () => {
    const { source, send } = aSource();
    const [one, other] = await Promise.all([source.get(), source.get()]);
    expect(other).toBe(one);
    expect(await source.get()).toBe(one);
    expect(send).toHaveBeenCalledTimes(1);
  });

  it("keeps a token until a minute before it expires", async () => {
    const { source, send, passes } = aSource();
    await source.get();
    passes(LIFETIME_MS - 60_001);
    await source.get();
    expect(send).toHaveBeenCalledTimes(1);
    passes(1);
    await source.get();
    expect(send).toHaveBeenCalledTimes(2);
  });

  it("replaces a token that a service refused", async () => {
    const { source } = aSource();
    const refused = await source.get();
    source.invalidate(refused);
    expect(await source.get()).not.toBe(refused);
  });

  it("keeps a token that was fetched after the refused one", async () => {
    const { source, send } = aSource();
    const refused = await source.get();
    source.invalidate(refused);
    const current = await source.get();
    source.invalidate(refused);
    expect(await source.get()).toBe(current);
    expect(send).toHaveBeenCalledTimes(2);
  });

  it("never hands out the token of another account, which signed in in another tab", async () => {
    const { source, send, passes } = aSource();
    await source.get();
    passes(LIFETIME_MS);
    send.mockResolvedValueOnce(Response.json({ token: aToken(2_000_000_000_000, "other", "bob") }));
    await expect(source.get()).rejects.toBeInstanceOf(OtherAccountError);
  });

  it("requests a token again after a failure", async () => {
    const { source, send } = aSource();
    send.mockRejectedValueOnce(new TypeError("Failed to fetch"));
    await expect(source.get()).rejects.toThrow(UnreachableError);
    await expect(source.get()).resolves.toMatch(/^ey/);
  });

  it("distinguishes the end of the session from a failing server", async () => {
    const { source, send } = aSource();
    send.mockResolvedValueOnce(Response.json({}, { status: 401 }));
    await expect(source.get()).rejects.toThrow(SignedOutError);
    send.mockResolvedValueOnce(aProblem(503, "Later."));
    await expect(source.get()).rejects.toThrow(ProblemError);
  });
});
