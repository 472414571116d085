import { describe, expect, it } from "vitest";
import { freshGate, type GateState, pass, passed } from "./gate.ts";
import { delivered, failed, gone, type Outcome, rejected, throttled, unknown } from "./handler.ts";
import { blamed, gatesAfter } from "./verdict.ts";

const T = Date.UTC(2026, 0, 1);
const channel = freshGate({ id: "c", name: "channel", limit: null });
const workspace = freshGate({ id: "w", name: "workspace", limit: null });

const landingOf = (outcome: Outcome, interrupted = false) =>
  ({ type: "attempted", outcome, interrupted, startedAt: T, durationMs: 5 }) as const;

/** What one attempt leaves of gates as they stand, and were when it was claimed. */
const after = (
  gates: readonly GateState[],
  outcome: Outcome,
  { standing = gates, interrupted = false, pause = null as Parameters<typeof gatesAfter>[2] } = {},
) =>
  gatesAfter({ gates: gates.map(passed) }, landingOf(outcome, interrupted), pause, {
    gates: standing,
    now: T,
    random: 0,
  });

const nineFailures = {
  ...workspace,
  breaker: { state: "watching", inARow: 9, since: T, seen: 9, failed: 9 },
} as const;
const probing = pass(
  {
    ...workspace,
    epoch: 1,
    breaker: { state: "open", until: T, times: 1, width: 1, out: 0, outUntil: 0 },
  },
  T,
  1,
);

describe("a failure", () => {
  it.each([
    ["the first gate", failed("no"), "c"],
    ["the gate it names", failed("no", { gate: "workspace" }), "w"],
    ["the first gate if it names one that is not there", unknown("?", { gate: "host" }), "c"],
    [
      "the gate it names, if it is not known whether it arrived",
      unknown("?", { gate: "workspace" }),
      "w",
    ],
  ])("counts against %s", (_, outcome, id) => {
    const gates = [channel, workspace];
    expect(blamed({ gates: gates.map(passed) }, landingOf(outcome))?.id).toBe(id);
    const { states } = after(gates, outcome);
    expect(states.map((gate) => [gate.id, gate.breaker?.state])).toEqual([[id, "watching"]]);
  });

  it.each([delivered(), rejected("no"), gone("no"), throttled({ retryAfterMs: 1 })])(
    "is not what $type says",
    (outcome) => {
      expect(blamed({ gates: [passed(channel)] }, landingOf(outcome))).toBeNull();
      expect(after([channel], outcome).states).toEqual([]);
    },
  );

  it("is nobody's without gates, or if the bus interrupted it", () => {
    expect(blamed({ gates: [] }, landingOf(failed("no")))).toBeNull();
    expect(after([channel], failed("no"), { interrupted: true }).states).toEqual([]);
  });

  it("counts against no gate that the lane has left", () => {
    expect(after([channel], failed("no"), { standing: [workspace] }).states).toEqual([]);
  });

  it("that opens a gate tells until when", () => {
    const { states, moves } = after([channel, nineFailures], failed("no", { gate: "workspace" }));
    expect(states).toMatchObject([{ id: "w", epoch: 1 }]);
    expect(moves).toEqual([{ gate: "workspace", openUntil: T + 30_000 }]);
  });
});

describe("a success", () => {
  it("counts for every gate that it passed", () => {
    const { states } = after([nineFailures, { ...channel, throttles: 2 }], delivered());
    expect(states).toMatchObject([{ breaker: { inARow: 0, seen: 10 } }, { throttles: 0 }]);
  });

  it("that closes a gate tells it", () => {
    const wide = { ...probing, breaker: { ...probing.breaker, width: 32 } } as GateState;
    const { states, moves } = after([wide], delivered());
    expect(states).toEqual([{ ...workspace, epoch: 2 }]);
    expect(moves).toEqual([{ gate: "workspace", openUntil: null }]);
  });

  it("changes nothing of gates that are calm", () => {
    expect(after([channel, workspace], delivered())).toEqual({ states: [], moves: [] });
  });
});

describe("a probe", () => {
  it.each([
    ["is rejected", rejected("no"), false],
    ["fails for another gate's fault", failed("no", { gate: "channel" }), false],
    ["is interrupted", failed("no"), true],
  ])("that %s gives its place to another", (_, outcome, interrupted) => {
    const { states } = after([probing, channel], outcome, { interrupted });
    expect(states.find(({ id }) => id === "w")?.breaker).toMatchObject({ width: 1, out: 0 });
  });

  it("that is throttled gives its place back, and closes the gate meanwhile", () => {
    const outcome = throttled({ retryAfterMs: 5_000, gate: "workspace" });
    const pause = { gate: "workspace", until: T + 5_000, askedMs: 5_000 };
    const { states, moves } = after([probing], outcome, { pause });
    expect(states).toMatchObject([{ pausedUntil: T + 5_000, throttles: 1, breaker: { out: 0 } }]);
    expect(moves).toEqual([]);
  });
});
