// @vitest-environment node
import { describe, expect, it } from "vitest";

import { dueDateOf, dueStateOf, formatDue, sectionsOf } from "@/features/tasks/due";

import { aTask } from "../../fakes";

/** Local time of the test run, in Berlin's time zone. */
const NOW = new Date("2026-11-24T12:00:00+01:00");

describe("dueStateOf", () => {
  it.each([
    [null, "none"],
    ["2026-11-24T10:59:59Z", "overdue"],
    ["2026-11-24T11:00:00Z", "today"],
    ["2026-11-24T22:59:59Z", "today"],
    ["2026-11-24T23:00:00Z", "later"],
  ] as const)("sees a task due %s as %s, by the user's own midnight", (due, state) => {
    expect(dueStateOf(due, NOW)).toBe(state);
  });
});

describe("dueDateOf", () => {
  it("makes a day without a time due at its end, and a day with a time due at that time", () => {
    expect(dueDateOf("2026-11-24", "")).toBe("2026-11-24T22:59:59.000Z");
    expect(dueDateOf("2026-11-24", "09:30")).toBe("2026-11-24T08:30:00.000Z");
    expect(dueDateOf("", "09:30")).toBeNull();
  });

  it("follows summer time", () => {
    expect(dueDateOf("2026-07-01", "09:30")).toBe("2026-07-01T07:30:00.000Z");
  });
});

describe("formatDue", () => {
  it.each([
    ["2026-11-24", "", "Today"],
    ["2026-11-25", "18:30", "Tomorrow 18:30"],
    ["2026-11-23", "", "Yesterday"],
    ["2026-11-27", "", "Fri 27 Nov"],
    ["2027-01-04", "", "Mon, 4 Jan 2027"],
  ])("writes %s %s as %s", (day, time, text) => {
    expect(formatDue(dueDateOf(day, time) ?? "", NOW, "en-GB")).toBe(text);
  });
});

describe("sectionsOf", () => {
  it("sorts open tasks by urgency, due date and priority, and puts completed ones into their own section", () => {
    const overdue = aTask({ due_date: "2026-11-20T10:00:00Z" });
    const today = aTask({ due_date: "2026-11-24T22:59:59Z", priority: "low" });
    const urgent = aTask({ due_date: "2026-11-24T22:59:59Z", priority: "high" });
    const later = aTask({ due_date: "2026-12-24T10:00:00Z" });
    const anytime = aTask();
    const done = aTask({ completed: true, due_date: "2026-11-20T10:00:00Z" });
    expect(sectionsOf([done, anytime, later, today, urgent, overdue], NOW)).toEqual({
      overdue: [overdue],
      today: [urgent, today],
      later: [later],
      none: [anytime],
      done: [done],
    });
  });
});
