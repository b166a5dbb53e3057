// @vitest-environment node
import { describe, expect, it, vi } from "vitest";

import { GET } from "@/app/metrics/route";
import { FROM_PROXY } from "@/server/http-observer";

vi.mock("@/server/process-state", () => ({
  processState: () => ({ registry: { metrics: () => Promise.resolve("up 1"), contentType: "text/plain" } }),
}));

describe("GET /metrics", () => {
  it("answers Prometheus, which asks the pod itself", async () => {
    const response = await GET(new Request("http://pod/metrics", { headers: { [FROM_PROXY]: "false" } }));
    expect([response.status, await response.text()]).toEqual([200, "up 1"]);
  });

  it("is not there for requests from outside", async () => {
    const response = await GET(new Request("http://pod/metrics", { headers: { [FROM_PROXY]: "true" } }));
    expect(response.status).toBe(404);
  });
});
