// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { createReadiness, health } from "@/server/health";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

describe("readiness", () => {
  it("is given while the database answers", async () => {
    const readiness = createReadiness(() => Promise.resolve());
    expect(await readiness(false)).toEqual({ status: "ready", checks: { database: "ok" } });
  });

  it("is withheld when the database refuses", async () => {
    const readiness = createReadiness(() => Promise.reject(new Error("refused")));
    expect(await readiness(false)).toEqual({ status: "unready", checks: { database: "failed" } });
  });

  it("is withheld when the database has not answered within two seconds", async () => {
    const readiness = createReadiness(() => new Promise(() => undefined));
    const answer = readiness(false);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await answer).toEqual({ status: "unready", checks: { database: "failed" } });
  });

  it("is withheld while the process drains, without pinging the database", async () => {
    const ping = vi.fn(() => Promise.resolve());
    expect((await createReadiness(ping)(true)).status).toBe("draining");
    expect(ping).not.toHaveBeenCalled();
  });

  it("pings the database once for all probes within two seconds, and again after that", async () => {
    const ping = vi.fn(() => Promise.resolve());
    const readiness = createReadiness(ping);
    await Promise.all([readiness(false), readiness(false)]);
    await vi.advanceTimersByTimeAsync(1_999);
    await readiness(false);
    expect(ping).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    await readiness(false);
    expect(ping).toHaveBeenCalledTimes(2);
  });
});

describe("health", () => {
  it("names the service and the build", () => {
    expect(health("abc")).toEqual({ status: "ok", service: "frontend", build: "abc" });
  });
});
