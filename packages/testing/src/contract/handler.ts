import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import type { Handler, Json, Outcome } from "@posthorn/core";
import { type ContractCase, cases, type Law } from "./case.ts";
import {
  aFlight,
  type Course,
  courseOf,
  type Flown,
  itemsOf,
  strangeData,
  strangeTexts,
} from "./handler/course.ts";

/** What a handler's author provides for the suite. */
export interface HandlerHarness {
  readonly handler: Handler;
  /** An input that the handler accepts and the destination knows; its secrets are recognisable. */
  readonly configuration: { readonly [key: string]: Json };
  readonly destination: Destination;
  /** What the destination has received so far: one text per request. */
  received(): readonly string[];
}

/** How the destination can be told to behave from now on. The more it can, the more is tried. */
export interface Destination {
  /** Takes what it is sent. */
  succeed(): unknown;
  /** Fails on its side (HTTP 500, say). */
  fail?(): unknown;
  /** Refuses what it is sent (HTTP 400, say). */
  refuse?(): unknown;
  /** Asks to wait (HTTP 429, say). */
  throttle?(): unknown;
  /** Cuts the connection once it has the request. */
  cut?(): unknown;
  /** Takes the request and never answers. */
  hang?(): unknown;
}

export type HandlerCase = ContractCase<HandlerHarness>;

const TROUBLE = ["fail", "refuse", "throttle", "cut"] as const;
const OUTCOMES = ["delivered", "failed", "throttled", "rejected", "gone", "unknown"];
const SHORTEST_SECRET = 8;
/** Core waits half a second after the signal; a suite may run on a busy machine. */
const SOON_MS = 2_000;

/**
 * The laws of the handler port, each as a case.
 *
 * ```ts
 * for (const entry of handlerContract) it(entry.name, (test) => entry.run(harness, test));
 * ```
 */
export const handlerContract: readonly HandlerCase[] = [
  ...laws("type", {
    "it is lower-case words joined by `_`": ({ handler }) => {
      assert.match(handler.type, /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
    },
  }),

  ...laws("configuration", {
    "what was accepted once is accepted again, also after it was stored as JSON": async ({
      issuesOf,
      configuration,
    }) => {
      for (const input of [configuration, configuration, throughJson(configuration)]) {
        assert.deepEqual(await issuesOf(input), []);
      }
    },

    "validation changes nothing of the input": async ({ issuesOf, configuration }) => {
      const input = structuredClone(configuration);
      await issuesOf(input);
      assert.deepEqual(input, configuration);
    },

    "an unknown key is refused, and the issue names it": async ({ issuesOf, configuration }) => {
      const issues = await issuesOf({ ...configuration, no_such_key: "x" });
      const names = issues.some(
        ({ key, message }) => key === "no_such_key" || message.includes("no_such_key"),
      );
      assert.ok(names, `no issue names the key: ${inspect(issues)}`);
    },

    "what is no object is refused, not thrown at": async ({ issuesOf }) => {
      for (const input of [undefined, null, true, 1, "x", []]) {
        assert.notDeepEqual(await issuesOf(input), [], `${inspect(input)} is accepted`);
      }
    },

    "secrets are strings at the top level": async ({ handler, issuesOf, configuration }) => {
      for (const secret of handler.secrets ?? []) {
        assert.equal(typeof configuration[secret], "string", `the harness gives no "${secret}"`);
        for (const value of [1, null]) {
          const input = { ...configuration, [secret]: value };
          const keys = (await issuesOf(input)).map(({ key }) => key);
          assert.ok(keys.includes(secret), `${inspect(input)} is accepted`);
        }
      }
    },

    "no issue tells a secret": async ({ handler, issuesOf, configuration, secrets }) => {
      for (const key of Object.keys(configuration)) {
        assertTellsNone(secrets, await issuesOf({ ...configuration, [key]: [] }));
      }
      for (const key of handler.secrets ?? []) {
        assertTellsNone(
          secrets,
          await issuesOf({ ...configuration, [key]: `${configuration[key]}\n \u0000` }),
        );
      }
    },
  }),

  ...laws("generates", {
    "what it makes is one of its secrets, and its configuration accepts it": async ({
      handler,
      configuration,
      issuesOf,
    }) => {
      if (handler.generates === undefined) return;
      const { key, create } = handler.generates;
      const made = create(configuration, randomBytes);
      assert.ok(handler.secrets?.includes(key), `"${key}" is none of its secrets`);
      assert.deepEqual(await issuesOf({ ...configuration, [key]: made }), []);
    },

    "it makes another each time": ({ handler, configuration }) => {
      if (handler.generates === undefined) return;
      const { create } = handler.generates;
      const made = Array.from({ length: 100 }, () => create(configuration, randomBytes));
      assert.equal(new Set(made).size, 100);
    },
  }),

  ...laws("gates", {
    "they follow from the configuration alone": async ({ gates }) => {
      assert.deepEqual(await gates(), await gates());
    },

    "each has a name of its own, which tells no secret": async ({ gates, secrets }) => {
      const names = (await gates()).map(({ name }) => name);
      assert.equal(new Set(names).size, names.length, `names repeat: ${names.join(", ")}`);
      assertTellsNone(secrets, names);
    },

    "limits are complete, and whole numbers from 1": async ({ gates }) => {
      for (const { name, limit, perMs, burst } of await gates()) {
        assert.equal(limit === undefined, perMs === undefined, `"${name}" is half a limit`);
        for (const value of [limit, perMs, burst]) {
          const isFit = value === undefined || (Number.isSafeInteger(value) && value >= 1);
          assert.ok(isFit, `"${name}" has ${value} in its limit`);
        }
      }
    },
  }),

  ...laws("verify", {
    "a configuration that works is not refused": async ({ verify }) => {
      assert.notEqual((await verify())?.status, "refused");
    },

    "a destination in trouble is an answer that tells no secret": async ({
      behave,
      verify,
      secrets,
    }) => {
      for (const trouble of TROUBLE) {
        if (await behave(trouble)) assertTellsNone(secrets, await verify());
      }
    },
  }),

  ...lawsOfCalls("deliver"),

  ...laws("deliver", {
    "an event can be delivered again": async ({ deliver }) => {
      const flight = aFlight();
      for (const attempt of [1, 2, 9]) {
        const delivery = { ...flight.delivery, attempt };
        assertDelivered((await deliver({ ...flight, delivery })).outcome);
      }
    },

    "an event can be delivered while it is being delivered": async ({ deliver }) => {
      const flight = aFlight();
      for (const { outcome } of await Promise.all([deliver(flight), deliver(flight)])) {
        assertOutcome(outcome);
      }
    },

    "strange data ends in an outcome": async ({ deliver }) => {
      for (const data of strangeData) assertOutcome((await deliver(aFlight({ data }))).outcome);
    },

    "strange names end in an outcome": async ({ deliver }) => {
      for (const text of strangeTexts) {
        const flight = aFlight({ actor: { id: text, name: text, type: text } });
        const subscription = { ...flight.subscription, name: text };
        assertOutcome((await deliver({ ...flight, subscription })).outcome);
      }
    },
  }),

  ...lawsOfCalls("batch", ["batch"]),

  ...laws(
    "batch",
    {
      "a call takes at most a whole number of events, from 2 to 100": ({ most }) => {
        assert.ok(Number.isInteger(most) && most >= 2 && most <= 100, `it takes ${most}`);
      },

      "it takes any number of events up to the most": async ({ batch, most }) => {
        for (const count of new Set([1, 2, Math.ceil(most / 2), most])) {
          assertDelivered((await batch({ items: itemsOf(count) })).outcome);
        }
      },

      "events can be delivered again, together and alone": async ({ batch, deliver }) => {
        const items = itemsOf(2);
        for (let times = 0; times < 2; times += 1)
          assertDelivered((await batch({ items })).outcome);
        for (const item of items) assertDelivered((await deliver(item)).outcome);
      },

      "an event that comes twice ends in an outcome": async ({ batch }) => {
        const { event } = aFlight();
        const items = itemsOf(2).map(({ delivery }) => ({ event, delivery }));
        assertOutcome((await batch({ items })).outcome);
      },

      "strange data among others ends in an outcome": async ({ batch }) => {
        for (const data of strangeData) {
          const { event, delivery } = aFlight({ data });
          const items = [...itemsOf(1), { event, delivery }];
          assertOutcome((await batch({ items })).outcome);
        }
      },
    },
    ["batch"],
  ),
];

/** What holds for a call with one event and for a call with several: `verb` makes it. */
function lawsOfCalls(
  verb: "deliver" | "batch",
  needs: readonly Need[] = [],
): readonly HandlerCase[] {
  return [
    ...laws(
      verb,
      {
        "`delivered` means that the destination has it": async ({ [verb]: call, received }) => {
          const before = received().length;
          assertDelivered((await call()).outcome);
          assert.ok(received().length > before, "the destination received nothing");
        },

        "a destination in trouble is an outcome, not a throw": async ({ behave, [verb]: call }) => {
          for (const trouble of TROUBLE) {
            if (!(await behave(trouble))) continue;
            const { outcome } = await call();
            assertOutcome(outcome);
            assert.notEqual(outcome.type, "delivered", `when told to ${trouble}: "delivered"`);
          }
        },

        "a failure blames a gate that exists, or none": async ({ behave, [verb]: call, gates }) => {
          const names = (await gates()).map(({ name }) => name);
          for (const trouble of TROUBLE) {
            if (!(await behave(trouble))) continue;
            const { outcome } = await call();
            const gate = "gate" in outcome ? (outcome.gate ?? null) : null;
            assert.ok(
              gate === null || names.includes(gate),
              `"${gate}" is none of: ${names.join()}`,
            );
          }
        },

        "no secret is in an outcome or a log line": async ({ behave, [verb]: call, secrets }) => {
          for (const behaviour of ["succeed", ...TROUBLE] as const) {
            if (await behave(behaviour)) assertTellsNone(secrets, await call());
          }
        },

        "what one outcome remembers, the next delivery is given": async ({ [verb]: call }) => {
          let state: Json = null;
          for (let attempt = 1; attempt <= 3; attempt += 1) {
            const { outcome }: Flown = await call({ state });
            assertDelivered(outcome);
            state = outcome.state ?? state;
          }
        },

        "what another version remembered does no harm": async ({ [verb]: call }) => {
          for (const state of ["old", 7, false, [], { unknown: { deep: [null] } }]) {
            assertOutcome((await call({ state })).outcome);
          }
        },
      },
      needs,
    ),

    ...laws(
      verb,
      {
        "a destination that asks to wait throttles, for so long, at a gate that exists": async ({
          behave,
          [verb]: call,
          gates,
        }) => {
          await behave("throttle");
          const { outcome } = await call();
          assert.ok(outcome.type === "throttled", `it is ${inspect(outcome)}`);
          const { retryAfterMs, gate = null } = outcome;
          assert.ok(Number.isFinite(retryAfterMs) && retryAfterMs >= 0, `wait ${retryAfterMs} ms`);
          const names = (await gates()).map(({ name }) => name);
          assert.ok(gate === null || names.includes(gate), `"${gate}" is none of: ${names.join()}`);
        },
      },
      [...needs, "throttle"],
    ),

    ...laws(
      verb,
      {
        "it ends soon after its signal aborts": async ({ behave, [verb]: call, received }) => {
          await behave("hang");
          const before = received().length;
          const abort = new AbortController();
          const ended = call({ signal: abort.signal });
          await waitFor(() => received().length > before, "the destination received nothing");
          abort.abort();
          await endsSoon(ended);
        },

        "it ends soon if its signal has aborted already": async ({ behave, [verb]: call }) => {
          await behave("hang");
          await endsSoon(call({ signal: AbortSignal.abort() }));
        },
      },
      [...needs, "hang"],
    ),
  ];
}

type Need = keyof Destination | "batch";

function laws(
  verb: string,
  sentences: { readonly [name: string]: Law<Course> },
  needs: readonly Need[] = [],
): readonly HandlerCase[] {
  return cases<HandlerHarness, Course>(verb, needs, play, sentences);
}

async function play(
  harness: HandlerHarness,
  needs: readonly string[],
  law: Law<Course>,
): Promise<string | null> {
  const { destination } = harness;
  if (needs.includes("batch") && harness.handler.batch === undefined) {
    return "the handler has no `batch`";
  }
  const missing = needs.find(
    (need) => need !== "batch" && destination[need as keyof Destination] === undefined,
  );
  if (missing !== undefined) return `the harness's destination cannot \`${missing}\``;
  await destination.succeed();
  try {
    await law(courseOf(harness));
  } finally {
    await destination.succeed();
  }
  return null;
}

const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function assertOutcome(outcome: Outcome): void {
  assert.ok(OUTCOMES.includes(outcome?.type), `${inspect(outcome)} is no outcome`);
  if (outcome.type !== "delivered") assert.ok(outcome.reason, `no reason: ${inspect(outcome)}`);
  const given = Object.entries(outcome).filter(([, value]) => value !== undefined);
  assert.deepEqual(throughJson(outcome), Object.fromEntries(given));
}

function assertDelivered(outcome: Outcome): void {
  assertOutcome(outcome);
  assert.equal(outcome.type, "delivered", `it is ${inspect(outcome)}`);
}

function assertTellsNone(secrets: readonly string[], told: unknown): void {
  const text = `${JSON.stringify(told)} ${inspect(told, { depth: 20 })}`;
  for (const secret of secrets) {
    assert.ok(secret.length >= SHORTEST_SECRET, "the harness's secrets are too short to find");
    assert.ok(!text.includes(secret), "a secret is told");
  }
}

/** A throw is as good an end as an outcome: core takes it for `unknown`. */
async function endsSoon(ended: Promise<unknown>): Promise<void> {
  let isOver = false;
  const note = (): void => {
    isOver = true;
  };
  ended.then(note, note);
  await waitFor(() => isOver, `it goes on ${SOON_MS} ms after the signal`);
}

async function waitFor(isSo: () => boolean, complaint: string): Promise<void> {
  const giveUpAt = performance.now() + SOON_MS;
  while (!isSo()) {
    if (performance.now() > giveUpAt) assert.fail(complaint);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
