// @vitest-environment node
import { describe, expect, it, vi } from "vitest";

import { createLog, describeError } from "@/server/log";
import { redirectConsole } from "@/server/start-process";

const at = () => new Date("2026-01-01T00:00:00Z");

describe("createLog", () => {
  it("writes one JSON line with the fields that all services share", () => {
    const write = vi.fn();
    createLog("info", write, at)("warning", "something", { request_id: "r", user_id: undefined });
    expect(write).toHaveBeenCalledExactlyOnceWith(
      '{"timestamp":"2026-01-01T00:00:00.000Z","level":"warning","event":"something","service":"frontend","request_id":"r"}\n',
    );
  });

  it("drops what is below its level", () => {
    const write = vi.fn();
    createLog("warning", write, at)("info", "something");
    expect(write).not.toHaveBeenCalled();
  });
});

describe("redirectConsole", () => {
  it("logs only name and message of an error of the database driver, which contains e-mail addresses", () => {
    const log = vi.fn();
    const target = { ...console };
    redirectConsole(log, target);
    target.error("⨯", Object.assign(new Error("duplicate key"), { detail: "Key (email)=(ada@example.com) exists." }), {});
    expect(log).toHaveBeenCalledExactlyOnceWith("error", "console", { detail: "⨯ Error: duplicate key [object]" });
  });
});

describe("describeError", () => {
  it("returns the class, the message and the place of an error, and nothing of other values", () => {
    expect(describeError(new TypeError("no"))).toMatchObject({ error: "TypeError", detail: "no" });
    expect(describeError("ada@example.com")).toEqual({ error: "thrown value is not an Error" });
  });
});
