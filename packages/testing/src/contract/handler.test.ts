import assert from "node:assert/strict";
import {
  type BatchContext,
  type DeliverContext,
  defineHandler,
  delivered,
  failed,
  type Handler,
  type Outcome,
  rejected,
  throttled,
  unknown,
} from "@posthorn/core";
import * as v from "valibot";
import { afterAll, beforeAll, describe, it } from "vitest";
import { createReceiver, type Receiver, type ReceiverReply } from "../receiver.ts";
import { type HandlerHarness, handlerContract } from "./index.ts";

interface Discord {
  readonly url: string;
}

/** Posts to a Discord webhook: https://discord.com/developers/docs/resources/webhook */
const discord = defineHandler({
  type: "discord",
  configuration: v.strictObject({
    url: v.pipe(v.string("Give the webhook's URL."), v.url("This is no URL.")),
  }),
  secrets: ["url"],
  gates: ({ url }) => [{ name: "webhook", key: url, limit: 5, perMs: 2_000, burst: 5 }],
  deliver: ({ event, ...call }) =>
    post(`**${event.type}** \`${event.payload.slice(0, 1_900)}\``, call),
});

/** The same, with up to ten events in a post. */
const digest = defineHandler({
  ...discord,
  batch: {
    max: 10,
    deliver: ({ items, ...call }) =>
      post(
        items.map(({ event }) => `**${event.type}** \`${event.payload.slice(0, 150)}\``).join("\n"),
        call,
      ),
  },
});

async function post(
  content: string,
  { configuration, signal }: Pick<DeliverContext<Discord>, "configuration" | "signal">,
): Promise<Outcome> {
  const body = JSON.stringify({ content, allowed_mentions: { parse: [] } });
  const headers = { "content-type": "application/json" };
  let response: Response;
  try {
    response = await fetch(configuration.url, { method: "POST", headers, body, signal });
    await response.body?.cancel();
  } catch {
    return unknown(signal.aborted ? "Discord did not answer." : "The connection broke.");
  }
  const { status } = response;
  if (response.ok) return delivered({ details: { status } });
  if (status === 429) {
    const retryAfterMs = Number(response.headers.get("retry-after") ?? 1) * 1_000;
    return throttled({ retryAfterMs, gate: "webhook" });
  }
  return status < 500 ? rejected(`HTTP ${status}`) : failed(`HTTP ${status}`);
}

let receiver: Receiver;
beforeAll(async () => {
  receiver = await createReceiver();
});
afterAll(() => receiver.close());

function harnessOf(handler: Handler): HandlerHarness {
  const answer = (reply: ReceiverReply) => (): void => receiver.respond(() => reply);
  return {
    handler,
    configuration: { url: `${receiver.url}api/webhooks/1/canary-d1sc0rd` },
    destination: {
      succeed: answer({ status: 204 }),
      fail: answer({ status: 503 }),
      refuse: answer({ status: 400, body: '{"code":50006}' }),
      throttle: answer({ status: 429, headers: { "retry-after": "2" } }),
      cut: answer("reset"),
      hang: answer("hang"),
    },
    received: () => receiver.requests.map(({ body }) => body),
  };
}

describe("a handler of forty lines keeps the handler contract", () => {
  for (const entry of handlerContract) {
    it(entry.name, (test) => entry.run(harnessOf(digest), test));
  }
});

type Deliver = (typeof discord)["deliver"];
type Together = BatchContext<Discord>;

/** Its calls for several are broken, and nothing else. */
const together = (deliver: (context: Together) => unknown, max = 10): Handler => ({
  ...discord,
  batch: { max, deliver: async (context: Together) => (await deliver(context)) as Outcome },
});
const sound = (context: Together): Promise<Outcome> =>
  digest.batch?.deliver(context) ?? assert.fail("it has no batch");
const after = (
  change: (outcome: Awaited<ReturnType<Deliver>>, url: string) => unknown,
): Handler => ({
  ...discord,
  deliver: async (context) =>
    change(await discord.deliver(context), context.configuration.url) as never,
});

const flaws: readonly (readonly [flaw: string, caughtBy: string, broken: Handler])[] = [
  [
    "has a name of its own taste",
    "type: it is lower-case words joined by `_`",
    { ...discord, type: "Discord" },
  ],
  [
    "overlooks unknown keys",
    "configuration: an unknown key is refused, and the issue names it",
    { ...discord, configuration: v.object({ url: v.string() }) },
  ],
  [
    "takes anything for its secret",
    "configuration: secrets are strings at the top level",
    { ...discord, configuration: v.strictObject({ url: v.any() }) },
  ],
  [
    "quotes a secret in an issue",
    "configuration: no issue tells a secret",
    {
      ...discord,
      configuration: v.strictObject({
        url: v.pipe(
          v.string(),
          v.regex(/^\S+$/, ({ input }) => `Not a URL: ${input}`),
        ),
      }),
    },
  ],
  [
    "has other gates every time",
    "gates: they follow from the configuration alone",
    { ...discord, gates: () => [{ name: "webhook", key: String(performance.now()) }] },
  ],
  [
    "names a gate by its secret",
    "gates: each has a name of its own, which tells no secret",
    { ...discord, gates: ({ url }: Discord) => [{ name: url, key: url }] },
  ],
  [
    "has half a limit",
    "gates: limits are complete, and whole numbers from 1",
    { ...discord, gates: ({ url }: Discord) => [{ name: "webhook", key: url, limit: 5 }] },
  ],
  [
    "refuses what works",
    "verify: a configuration that works is not refused",
    { ...discord, verify: async () => ({ status: "refused", issues: [] }) },
  ],
  [
    "blames a gate that it does not have",
    "deliver: a failure blames a gate that exists, or none",
    after((outcome) => (outcome.type === "failed" ? { ...outcome, gate: "host" } : outcome)),
  ],
  [
    "believes that everything arrives",
    "deliver: a destination in trouble is an outcome, not a throw",
    after(() => delivered()),
  ],
  [
    "delivers nothing",
    "deliver: `delivered` means that the destination has it",
    { ...discord, deliver: async () => delivered() },
  ],
  [
    "throws what it is told",
    "deliver: a destination in trouble is an outcome, not a throw",
    after((outcome) => {
      if (outcome.type === "delivered") return outcome;
      throw new Error(outcome.reason);
    }),
  ],
  [
    "tells its secret",
    "deliver: no secret is in an outcome or a log line",
    after((outcome, url) => ({ ...outcome, details: { url } })),
  ],
  [
    "logs its secret",
    "deliver: no secret is in an outcome or a log line",
    {
      ...discord,
      deliver: async (context) => {
        context.logger.debug({ to: context.configuration.url }, "Posting.");
        return discord.deliver(context);
      },
    },
  ],
  [
    "reports what JSON cannot say",
    "deliver: `delivered` means that the destination has it",
    after((outcome) => ({ ...outcome, details: { at: new Date() } })),
  ],
  ["remembers who was served", "deliver: an event can be delivered again", servesOnce()],
  [
    "trusts what it remembers",
    "deliver: what another version remembered does no harm",
    {
      ...discord,
      deliver: async (context) => {
        if (context.state !== null) (context.state as { pinned: string[] }).pinned.at(0);
        return discord.deliver(context);
      },
    },
  ],
  [
    "counts on objects",
    "deliver: strange data ends in an outcome",
    {
      ...discord,
      deliver: async (context) => {
        Object.keys(context.event.data as object);
        return discord.deliver(context);
      },
    },
  ],
  [
    "closes a gate that it does not have",
    "deliver: a destination that asks to wait throttles, for so long, at a gate that exists",
    after((outcome) => ({ ...outcome, gate: "channel" })),
  ],
  [
    "cannot read how long to wait",
    "deliver: a destination that asks to wait throttles, for so long, at a gate that exists",
    after((outcome) => ({ ...outcome, retryAfterMs: Number.NaN })),
  ],
  [
    "ignores its signal",
    "deliver: it ends soon after its signal aborts",
    {
      ...discord,
      deliver: (context) => discord.deliver({ ...context, signal: new AbortController().signal }),
    },
  ],
  [
    "takes half an event",
    "batch: a call takes at most a whole number of events, from 2 to 100",
    together(sound, 2.5),
  ],
  [
    "takes one event in a call for several",
    "batch: a call takes at most a whole number of events, from 2 to 100",
    together(sound, 1),
  ],
  [
    "answers an outcome for each event",
    "batch: `delivered` means that the destination has it",
    together(async (context) => {
      const outcome = await sound(context);
      return context.items.map(() => outcome);
    }),
  ],
  [
    "delivers nothing of several",
    "batch: `delivered` means that the destination has it",
    together(() => delivered()),
  ],
  [
    "believes that several always arrive",
    "batch: a destination in trouble is an outcome, not a throw",
    together((context) => sound(context).then(() => delivered())),
  ],
  [
    "blames a gate that it does not have for several",
    "batch: a failure blames a gate that exists, or none",
    together(async (context) => ({ ...(await sound(context)), gate: "host" })),
  ],
  [
    "tells its secret with several",
    "batch: no secret is in an outcome or a log line",
    together(async (context) => ({
      ...(await sound(context)),
      details: { url: context.configuration.url },
    })),
  ],
  [
    "counts on as many as it takes",
    "batch: it takes any number of events up to the most",
    together((context) => {
      assert.equal(context.items.length, 10);
      return sound(context);
    }),
  ],
  [
    "remembers who was served together",
    "batch: events can be delivered again, together and alone",
    servesOnceTogether(),
  ],
  [
    "takes no event twice",
    "batch: an event that comes twice ends in an outcome",
    together((context) => {
      const ids = new Set(context.items.map(({ event }) => event.id));
      assert.equal(ids.size, context.items.length);
      return sound(context);
    }),
  ],
  [
    "counts on objects among others",
    "batch: strange data among others ends in an outcome",
    together((context) => {
      for (const { event } of context.items) Object.keys(event.data as object);
      return sound(context);
    }),
  ],
  [
    "trusts what it remembers of several",
    "batch: what another version remembered does no harm",
    together((context) => {
      if (context.state !== null) (context.state as { pinned: string[] }).pinned.at(0);
      return sound(context);
    }),
  ],
  [
    "cannot read how long several have to wait",
    "batch: a destination that asks to wait throttles, for so long, at a gate that exists",
    together(async (context) => ({ ...(await sound(context)), retryAfterMs: Number.NaN })),
  ],
  [
    "ignores the signal of several",
    "batch: it ends soon after its signal aborts",
    together((context) => sound({ ...context, signal: new AbortController().signal })),
  ],
];

describe("the handler contract can fail", () => {
  for (const [flaw, caughtBy, broken] of flaws) {
    it(`it catches a handler that ${flaw}`, async () => {
      const entry = handlerContract.find(({ name }) => name === caughtBy);
      assert.ok(entry, `there is no case "${caughtBy}"`);
      await entry.run(harnessOf(digest));
      await assert.rejects(entry.run(harnessOf(broken)));
    });
  }

  it("names every case once", () => {
    const names = handlerContract.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
  });

  it("skips what is said of calls for several where a handler takes one by one", async () => {
    const reasons = new Set<string>();
    const test = { skip: (reason: string) => reasons.add(reason) };
    for (const entry of handlerContract.filter(({ needs }) => needs.includes("batch"))) {
      await entry.run(harnessOf(discord), test);
    }
    assert.deepEqual([...reasons], ["the handler has no `batch`"]);
  });

  it("says why it skips a case", async () => {
    const { destination, ...harness } = harnessOf(discord);
    const entry = handlerContract.find(({ needs }) => needs.includes("hang"));
    const reasons: string[] = [];
    const test = { skip: (reason: string) => reasons.push(reason) };
    await entry?.run({ ...harness, destination: { succeed: destination.succeed } }, test);
    assert.deepEqual(reasons, ["the harness's destination cannot `hang`"]);
  });
});

function servesOnce(): Handler {
  const served = new Set<string>();
  return {
    ...discord,
    deliver: async (context) => {
      if (served.has(context.event.id)) return rejected("It was delivered before.");
      served.add(context.event.id);
      return discord.deliver(context);
    },
  };
}

function servesOnceTogether(): Handler {
  const served = new Set<string>();
  return together((context) => {
    const ids = context.items.map(({ event }) => event.id);
    if (ids.some((id) => served.has(id))) return rejected("It was delivered before.");
    for (const id of ids) served.add(id);
    return sound(context);
  });
}
