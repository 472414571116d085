import { describe, expect, it } from "vitest";
import { checkHealth } from "./health.ts";
import type { Backlog, Storage } from "./storage.ts";

const abilities = { handlerTypes: ["slack"], keyIds: ["k1"] };
const dispatcher = { dispatcher: "running", inFlight: 3 } as const;
const empty: Backlog = {
  unrouted: 0,
  inFlight: 0,
  waiting: [],
  parked: 0,
  queued: 0,
  failing: 0,
  gates: { paused: 0, open: 0 },
  dispatchers: 0,
};

const health = (backlog: () => Promise<Backlog>) =>
  checkHealth({ backlog } as unknown as Storage, abilities, 1_000, dispatcher);
const waiting = (handlerType: string, keyId: string | null) =>
  health(async () => ({
    ...empty,
    waiting: [{ handlerType, keyId, count: 7, oldestDueAt: 0 }],
  }));

describe("health", () => {
  it.each([
    ["slack", "k1"],
    ["slack", null],
  ])("is ok while what waits, for %s with %s, can be delivered here", async (type, keyId) => {
    expect(await waiting(type, keyId)).toMatchObject({ ...dispatcher, status: "ok", problems: [] });
  });

  it("is degraded while something waits for a handler that is not here", async () => {
    const { status, problems } = await waiting("http", "k9");
    expect(status).toBe("degraded");
    expect(problems).toEqual([
      { code: "no_handler", detail: expect.stringMatching(/^7 deliveries .* "http".*`handlers`/) },
    ]);
  });

  it("is degraded while something waits for a key that is not here", async () => {
    const { status, problems } = await waiting("slack", "k9");
    expect(status).toBe("degraded");
    expect(problems).toEqual([
      {
        code: "missing_encryption_key",
        detail: expect.stringMatching(/^7 deliveries .* the key "k9".*`encryptionKeys`/),
      },
    ]);
  });

  it("is degraded while something is due and nobody delivers, in this process or another", async () => {
    const here = (dispatcher: "idle" | "running", backlog: Partial<Backlog>) =>
      checkHealth(
        { backlog: async () => ({ ...empty, ...backlog }) } as unknown as Storage,
        abilities,
        1_000,
        { dispatcher, inFlight: 0 },
      );
    const due = [{ handlerType: "slack", keyId: null, count: 1, oldestDueAt: 1_000 }];
    const later = [{ handlerType: "slack", keyId: null, count: 1, oldestDueAt: 1_001 }];
    const problems = [
      {
        code: "no_dispatcher",
        detail: expect.stringMatching(/`bus\.start\(\)`.*`bus\.drain\(\)`/),
      },
    ];
    expect(await here("idle", { waiting: due })).toMatchObject({ status: "degraded", problems });
    expect(await here("idle", { unrouted: 1 })).toMatchObject({ status: "degraded", problems });
    for (const fine of [
      here("idle", {}),
      here("idle", { waiting: later }),
      here("idle", { waiting: due, dispatchers: 1 }),
      here("running", { waiting: due }),
    ]) {
      expect(await fine).toMatchObject({ status: "ok", problems: [] });
    }
  });

  it("is down while the storage does not answer, and does not throw", async () => {
    const down = health(async () => {
      throw new Error("connection refused");
    });
    expect(await down).toEqual({
      ...dispatcher,
      status: "down",
      backlog: null,
      problems: [
        { code: "storage_down", detail: "The storage does not answer: connection refused" },
      ],
    });
  });
});
