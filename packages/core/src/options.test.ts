import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { defineHandler, delivered } from "./handler.ts";
import { type EventBusOptions, resolveOptions } from "./options.ts";
import { standardRetry } from "./retry.ts";

const DAY = 24 * 60 * 60 * 1_000;

const methods = (...names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, () => {}]));
const storage = {
  ...methods("append", "route", "claim", "settle", "release", "send", "redeliver", "cancel"),
  ...methods("cancelAll", "sweep", "prune", "beat", "backlog", "close"),
  replays: methods("create", "get", "list", "cancel", "step"),
  subscriptions: methods("create", "get", "list", "update", "delete", "report", "sealedOtherwise"),
  history: methods("event", "events", "delivery", "deliveries", "attempts"),
};
const slack = defineHandler({
  type: "slack",
  configuration: v.strictObject({}),
  deliver: async () => delivered(),
});
const catalog = { ping: { schema: v.null() } };
const resolve = (more: object = {}) =>
  resolveOptions({ catalog, storage, handlers: [slack], ...more } as unknown as EventBusOptions<
    typeof catalog,
    typeof slack
  >);
const handlers = (more: object) => ({ handlers: [{ ...slack, ...more }] });
const batchOf = (max: number) => handlers({ batch: { max, deliver: async () => delivered() } });
const retry = (more: object) => ({ retry: { ...standardRetry, ...more } });

describe("options", () => {
  it("have defaults", () => {
    const resolved = resolve();
    expect(resolved).toMatchObject({
      concurrency: 50,
      perOrganization: 40,
      leaseMs: 60_000,
      pollMs: 1_000,
      retentionMs: 30 * DAY,
      maxAgeMs: 7 * DAY,
    });
    expect([...resolved.handlers.keys()]).toEqual(["slack"]);
    expect(resolved.timeoutOf(slack)).toBe(15_000);
    expect(resolved.retryOf(slack)).toEqual(standardRetry);
    expect(resolved.retryOf(undefined)).toEqual(standardRetry);
  });

  it("take undefined for what is not given", () => {
    const names = ["concurrency", "leaseMs", "pollMs", "retentionMs", "retry", "transport", "x"];
    const absent = Object.fromEntries(names.map((name) => [name, undefined]));
    expect(resolve(absent)).toMatchObject({ concurrency: 50, leaseMs: 60_000 });
  });

  it("let a lease be short where every handler is quick", () => {
    const { leaseMs } = resolve({ ...handlers({ timeoutMs: 500 }), leaseMs: 6_000 });
    expect(leaseMs).toBe(6_000);
  });

  it("are overruled by a handler's own", () => {
    const own = { delaysMs: [], jitter: 0, maxAgeMs: 9 * DAY };
    const resolved = resolve({ ...handlers({ timeoutMs: 40_000, retry: own }) });
    const handler = resolved.handlers.get("slack") as typeof slack;
    expect(resolved.timeoutOf(handler)).toBe(40_000);
    expect(resolved.retryOf(handler)).toEqual(own);
    expect(resolved).toMatchObject({ leaseMs: 80_000, maxAgeMs: 9 * DAY });
  });

  it("are the host's word by type over a handler's own, as far as it goes", () => {
    const own = { delaysMs: [7], jitter: 0, maxAgeMs: 9 * DAY };
    const fax = { ...slack, type: "fax" };
    const resolved = resolve({
      handlers: [{ ...slack, retry: own }, fax],
      ...retry({ maxAgeMs: 2 * DAY, unknown: "abandon" }),
      retryByType: { slack: { maxAgeMs: 3 * DAY, jitter: undefined }, fax: undefined },
    });
    const [first, second] = [...resolved.handlers.values()];
    expect(resolved.retryOf(first)).toEqual({ ...own, maxAgeMs: 3 * DAY, unknown: "abandon" });
    const usual = { ...standardRetry, maxAgeMs: 2 * DAY, unknown: "abandon" };
    expect([resolved.retryOf(second), resolved.retryOf(undefined)]).toEqual([usual, usual]);
    expect(resolved.maxAgeMs).toBe(3 * DAY);
  });

  it.each([
    { concurrency: 1 },
    { concurrency: 10_000 },
    { pollMs: 10 },
    { pollMs: DAY },
    { leaseMs: 20_500 },
    { leaseMs: DAY },
    { handlerTimeoutMs: 10 },
    { retentionMs: 7 * DAY },
    retry({ jitter: 0 }),
    retry({ jitter: 1 }),
    retry({ delaysMs: [] }),
    retry({ unknown: "retry" }),
    retry({ unknown: "abandon" }),
    { retryByType: {} },
    { retryByType: { slack: {} } },
    { handlers: [] },
    { catalog: { ping: { schema: v.null(), example: null } } },
  ])("may be %j", (good) => {
    expect(() => resolve(good)).not.toThrow();
  });

  it("have a lease that fits for every timeout that is allowed", () => {
    const longest = /to (\d+)\.$/;
    let most = 0;
    try {
      resolve({ handlerTimeoutMs: DAY });
    } catch (error) {
      most = Number(longest.exec((error as Error).message)?.[1]);
    }
    expect(most).toBeGreaterThan(0);
    expect(() => resolve({ handlerTimeoutMs: most })).not.toThrow();
    expect(() => resolve(handlers({ timeoutMs: most }))).not.toThrow();
  });
});

describe("an option that is wrong is refused, by its name, its value and what it may be", () => {
  it.each<[object, RegExp]>([
    [{ leaseMs: 15_000 }, /^leaseMs is 15000, too short for a handler that may take 15000 ms/],
    [{ leaseMs: 20_499 }, /^leaseMs is 20499, .*Make it at least 20500/],
    [{ leaseMs: Number.NaN }, /^leaseMs is NaN\. It must be an integer from 1 to 86400000\./],
    [{ leaseMs: DAY + 1 }, /^leaseMs is 86400001/],
    [{ ...handlers({ timeoutMs: 60_000 }), leaseMs: 60_000 }, /may take 60000 ms/],
    [{ concurrency: 0 }, /^concurrency is 0\. It must be an integer from 1 to 10000\./],
    [{ concurrency: -1 }, /^concurrency is -1/],
    [{ concurrency: 1.5 }, /^concurrency is 1\.5/],
    [{ concurrency: Number.NaN }, /^concurrency is NaN/],
    [{ concurrency: 1e9 }, /^concurrency is 1000000000/],
    [{ concurrency: Number.POSITIVE_INFINITY }, /^concurrency is Infinity/],
    [{ concurrency: "5" }, /^concurrency is "5"\. It must be an integer/],
    [{ leasMs: 60_000 }, /^createEventBus has no option "leasMs"\. Did you mean "leaseMs"\?/],
    [
      { database: "app.db" },
      /^createEventBus has no option "database"\. Its options are catalog, /,
    ],
    [
      { concurrency: 5, perOrganization: 6 },
      /^perOrganization is 6\. It must be an integer from 1 to 5\./,
    ],
    [{ pollMs: 0 }, /^pollMs is 0\. It must be an integer from 10 to 86400000\./],
    [{ pollMs: Number.NaN }, /^pollMs is NaN/],
    [{ pollMs: 2 ** 31 }, /^pollMs is 2147483648/],
    [{ handlerTimeoutMs: 0 }, /^handlerTimeoutMs is 0/],
    [{ handlerTimeoutMs: DAY }, /^handlerTimeoutMs is 86400000/],
    [{ retentionMs: DAY }, /^retentionMs is 86400000, shorter than the 604800000 ms/],
    [{ retentionMs: 0 }, /^retentionMs is 0/],
    [retry({ delaysMs: [5_000, 0] }), /^retry\.delaysMs\[1\] is 0/],
    [retry({ delaysMs: [-1] }), /^retry\.delaysMs\[0\] is -1/],
    [retry({ delaysMs: [Number.NaN] }), /^retry\.delaysMs\[0\] is NaN/],
    [retry({ delaysMs: [Number.POSITIVE_INFINITY] }), /^retry\.delaysMs\[0\] is Infinity/],
    [retry({ delaysMs: undefined }), /^retry\.delaysMs must be an array/],
    [retry({ jitter: -0.1 }), /^retry\.jitter is -0\.1\. It must be between 0 and 1\./],
    [retry({ jitter: 1.1 }), /^retry\.jitter is 1\.1/],
    [retry({ jitter: Number.NaN }), /^retry\.jitter is NaN/],
    [retry({ maxAgeMs: 999 }), /^retry\.maxAgeMs is 999/],
    [retry({ maxAgeMs: Number.POSITIVE_INFINITY }), /^retry\.maxAgeMs is Infinity/],
    [retry({ unknown: "drop" }), /^retry\.unknown is drop\. It must be "retry" or "abandon"\./],
    [
      { retryByType: { slakc: {} } },
      /^retryByType\.slakc: no handler has the type "slakc"\. Did you mean "slack"\?/,
    ],
    [{ retryByType: { teletext: {} } }, /^retryByType\.teletext: .*Known: slack\./],
    [{ retryByType: { slack: 5 } }, /^retryByType\.slack must be an object/],
    [{ retryByType: { slack: { jitter: 2 } } }, /^retryByType\.slack\.jitter is 2/],
    [{ retryByType: { slack: { maxAgeMs: 31 * DAY } } }, /^retentionMs is .*shorter than the/],
    [handlers({ timeoutMs: 0 }), /^handlers\[0\]\.timeoutMs is 0/],
    [handlers({ retry: { ...standardRetry, jitter: 2 } }), /^handlers\[0\]\.retry\.jitter is 2/],
    [handlers({ retry: { ...standardRetry, maxAgeMs: 31 * DAY } }), /^retentionMs is 2592000000/],
    [handlers({ type: "Slack" }), /^handlers\[0\]\.type is "Slack"\. Use lower-case words/],
    [handlers({ type: "" }), /^handlers\[0\]\.type is ""/],
    [handlers({ type: "slack\n" }), /^handlers\[0\]\.type is "slack\\n"/],
    [handlers({ type: undefined }), /^handlers\[0\]\.type is undefined/],
    [
      handlers({ deliver: undefined }),
      /^handlers\[0\]\.deliver of type "slack" must be a function/,
    ],
    [handlers({ configuration: {} }), /^handlers\[0\]\.configuration .* must be a Standard Schema/],
    [handlers({ secrets: "token" }), /^handlers\[0\]\.secrets .* must be an array/],
    [handlers({ gates: [] }), /^handlers\[0\]\.gates .* must be a function/],
    [handlers({ batch: { max: 2 } }), /^handlers\[0\]\.batch\.deliver .* must be a function/],
    [handlers({ batch: null }), /^handlers\[0\]\.batch\.deliver .* must be a function/],
    [batchOf(1), /^handlers\[0\]\.batch\.max is 1\. It must be an integer from 2 to 100\./],
    [batchOf(2.5), /^handlers\[0\]\.batch\.max is 2\.5\./],
    [batchOf(101), /^handlers\[0\]\.batch\.max is 101\./],
    [{ handlers: [slack, slack] }, /^handlers\[1\] has the type "slack", which an earlier/],
    [{ handlers: undefined }, /^handlers must be an array/],
    [{ handlers: slack }, /^handlers must be an array/],
    [{ handlers: [null] }, /^handlers\[0\] is null\. Pass handlers, such as `slack\(\)`\./],
    [
      { handlers: [() => slack] },
      /^handlers\[0\] is a function\. Call it, and pass what it answers\./,
    ],
    [{ catalog: undefined }, /^catalog is missing\. Make one with defineCatalog\(\)\./],
    [{ catalog: { ping: {} } }, /^catalog\.ping\.schema is not a Standard Schema/],
    [
      { catalog: { ping: { schema: v.null(), example: 5 } } },
      /^catalog\.ping\.example is not valid/,
    ],
    [{ storage: undefined }, /^storage is undefined\. Pass what memoryStorage\(\)/],
    [{ storage: Promise.resolve(storage) }, /^storage is a promise\. Await it first\./],
    [{ storage: () => storage }, /^storage is a function\. Call it, and pass what it answers\./],
    [{ storage: { query: () => {} } }, /^storage is an object of another kind\. Pass what/],
    [{ storage: "postgres://" }, /^storage is a string\. Pass what/],
    [{ storage: { ...storage, prune: undefined } }, /^storage is not a Storage: it lacks prune\./],
    [{ storage: { ...storage, history: {} } }, /^storage is not a Storage: it lacks .*event/],
    [{ transport: {} }, /^transport is not a Transport: it lacks wake, broadcast, listen, close/],
  ])("%j", (bad, message) => {
    expect(() => resolve(bad)).toThrow(
      expect.objectContaining({
        code: "invalid_options",
        message: expect.stringMatching(message),
      }),
    );
  });

  it.each([
    [{}, /^The catalog is empty/],
    [{ webhook_test: { schema: v.null() } }, /"webhook_test" is reserved/],
    [{ "a b": { schema: v.null() } }, /"a b" is not a valid name/],
  ])("a catalog that defineCatalog would refuse: %j", (catalog, message) => {
    expect(() => resolve({ catalog })).toThrow(message);
  });

  it("but for an example that only an asynchronous schema could judge", () => {
    const later = v.pipeAsync(
      v.string(),
      v.checkAsync(async () => false),
    );
    expect(() => resolve({ catalog: { ping: { schema: later, example: "a" } } })).not.toThrow();
  });
});
