import assert from "node:assert/strict";
import type { Claim } from "@posthorn/core";
import {
  ACME,
  again,
  aLane,
  anEvent,
  aSubscription,
  laws,
  MINUTE,
  NOW,
  newId,
  type Stage,
  type StorageCase,
  settlementOf,
} from "./stage.ts";

export const fairnessCases: readonly StorageCase[] = [
  ...laws("claim organizations in turn", {
    "no organization has a second lane while another that has something due has none": async (
      stage,
    ) => {
      await crowd(stage, "busy", 12, NOW);
      await crowd(stage, "quiet", 2, NOW + 1);
      await crowd(stage, "small", 1, NOW + 2);
      const { claims } = await stage.claim({ now: NOW + 3, slots: 5 });
      assert.deepEqual(countsOf(claims), { busy: 2, quiet: 2, small: 1 });
    },

    "what nobody else needs is any organization's": async (stage) => {
      await crowd(stage, "busy", 12, NOW);
      await crowd(stage, "quiet", 1, NOW + 1);
      const { claims } = await stage.claim({ now: NOW + 1, slots: 8 });
      assert.deepEqual(countsOf(claims), { busy: 7, quiet: 1 });
    },

    "of one organization, the lanes that are due earliest come first": async (stage) => {
      const early = await crowd(stage, "busy", 3, NOW);
      await crowd(stage, "busy", 3, NOW + 1);
      await crowd(stage, "quiet", 2, NOW + 2);
      const { claims } = await stage.claim({ now: NOW + 2, slots: 5 });
      const taken = claims.map(({ subscriptionId }) => subscriptionId);
      for (const id of early) assert.ok(taken.includes(id));
    },

    "a new lane is served within two claims, though another organization has hundreds due": async (
      stage,
    ) => {
      await crowd(stage, "a busy one", 150, NOW, 3);
      await crowd(stage, "the busiest", 150, NOW, 3);
      await stage.claim({ now: NOW + 1, slots: 4 });
      await crowd(stage, "new", 1, NOW + 2);
      const organizations: string[] = [];
      for (let turn = 2; turn < 4; turn += 1) {
        const { claims } = await stage.claim({ now: NOW + turn, slots: 4 });
        organizations.push(...Object.keys(countsOf(claims)));
      }
      assert.ok(organizations.includes("new"));
    },

    "many quiet organizations beside a busy one are each served in turn": async (stage) => {
      await crowd(stage, "busy", 150, NOW, 3);
      const quiet = Array.from({ length: 12 }, (_, index) => `${index < 6 ? "a" : "z"}${index}`);
      for (const organization of quiet) await crowd(stage, organization, 1, NOW + 1);
      const served = new Set<string>();
      for (let turn = 1; turn <= 5; turn += 1) {
        const { claims } = await stage.claim({ now: NOW + turn, slots: 4 });
        for (const organization of Object.keys(countsOf(claims))) served.add(organization);
      }
      assert.deepEqual([...served].sort(), ["busy", ...quiet].sort());
    },

    "claims with one slot go round the organizations too": async (stage) => {
      for (const organization of ["a", "b", "c"]) await crowd(stage, organization, 30, NOW, 2);
      const served: string[] = [];
      for (let turn = 1; turn <= 9; turn += 1) {
        const { claims } = await stage.claim({ now: NOW + turn, slots: 1 });
        served.push(...Object.keys(countsOf(claims)));
      }
      assert.deepEqual(served.toSorted(), ["a", "a", "a", "b", "b", "b", "c", "c", "c"]);
    },

    "free slots are shared between organizations, not between their lanes": async (stage) => {
      await crowd(stage, "busy", 4, NOW, 10);
      await crowd(stage, "quiet", 1, NOW, 10);
      const { claims } = await stage.claim({ now: NOW, slots: 10 });
      assert.deepEqual(countsOf(claims), { busy: 5, quiet: 5 });
    },
  }),

  ...laws("claim beside what is in flight", {
    "what the process has in flight of a lane counts": async ({ owe, claim }) => {
      const { subscription } = await owe({ count: 5 });
      await owe({ count: 5 });
      const inFlight = {
        byLane: new Map([[subscription.id, 2]]),
        byOrganization: new Map([[ACME, 2]]),
      };
      const { claims } = await claim({ perLane: 3, inFlight });
      const own = claims.filter(({ subscriptionId }) => subscriptionId === subscription.id);
      assert.deepEqual([own.length, claims.length], [1, 4]);
    },

    "an organization has at most so many in flight, and others go on": async (stage) => {
      await crowd(stage, "busy", 80, NOW);
      await crowd(stage, "quiet", 2, NOW + 1);
      const inFlight = { byLane: new Map(), byOrganization: new Map([["busy", 3]]) };
      const request = { slots: 8, perOrganization: 4, inFlight };
      const first = await stage.claim({ now: NOW + 1, ...request });
      assert.deepEqual(countsOf(first.claims), { busy: 1, quiet: 2 });
      const full = { byLane: new Map(), byOrganization: new Map([["busy", 4]]) };
      const second = await stage.claim({ now: NOW + 2, ...request, inFlight: full });
      assert.deepEqual(second.claims, []);
      assert.equal(second.nextDueAt, NOW + 2);
    },

    "lanes of an organization that was full go on in their order": async (stage) => {
      const lanes = await crowd(stage, "busy", 1, NOW);
      for (let at = 1; at < 6; at += 1) lanes.push(...(await crowd(stage, "busy", 1, NOW + at)));
      await crowd(stage, "quiet", 1, NOW + 6);
      const request = { slots: 8, perOrganization: 2 };
      for (const count of [2, 1]) {
        const inFlight = { byLane: new Map(), byOrganization: new Map([["busy", count]]) };
        await stage.claim({ now: NOW + 6, ...request, inFlight });
      }
      await crowd(stage, "busy", 1, NOW + 5);
      const { claims } = await stage.claim({ now: NOW + 7, ...request });
      assert.deepEqual(
        claims.map(({ subscriptionId }) => subscriptionId).sort(),
        lanes.slice(1, 3),
      );
    },
  }),

  ...laws("claim first attempts beside retries", {
    "what failed does not keep what is new waiting": async (stage) => {
      const now = await crowdOfRetries(stage, 40, 20);
      const { claims } = await stage.claim({ now, slots: 10 });
      assert.deepEqual([retriesIn(claims), claims.length], [3, 10]);
    },

    "nor where claims take one at a time": async (stage) => {
      const now = await crowdOfRetries(stage, 60, 60);
      let retries = 0;
      for (let turn = 0; turn < 50; turn += 1) {
        retries += retriesIn((await stage.claim({ now, slots: 1 })).claims);
      }
      assert.ok(retries > 0 && retries < 30, `${retries} of 50 are retries`);
    },

    "retries take all there is when nothing new is due": async (stage) => {
      const now = await crowdOfRetries(stage, 12, 2);
      const { claims } = await stage.claim({ now, slots: 10 });
      assert.deepEqual([retriesIn(claims), claims.length], [8, 10]);
    },

    "a retry overtakes nothing that was due before it": async (stage) => {
      const { ids } = await stage.owe({ count: 4 });
      const { claims } = await stage.claim({ slots: 2 });
      for (const flight of claims) await stage.settle(flight, again(NOW + MINUTE));
      const next = await stage.claim({ now: NOW + MINUTE, slots: 2 });
      const before = claims.map(({ deliveryId }) => deliveryId);
      assert.deepEqual(
        next.claims.map(({ deliveryId }) => deliveryId).sort(),
        ids.filter((id) => !before.includes(id)),
      );
    },
  }),
];

const retriesIn = (claims: readonly Claim[]): number =>
  claims.filter(({ delivery }) => delivery.attempts > 0).length;

/** A lane with so many retries that are due, and so many first attempts that are due later; answers when. */
async function crowdOfRetries(stage: Stage, retries: number, firsts: number): Promise<number> {
  const { subscription } = await stage.owe({ count: retries });
  const { claims } = await stage.claim();
  await stage.storage.settle(
    claims.map((flight) => settlementOf(flight)),
    (_, { delivery: { attempts } }) => ({
      next: { status: "waiting", dueAt: NOW + 1, reason: "refused", attempts: attempts + 1 },
      counted: true,
    }),
  );
  const { organization, eventTypes } = subscription;
  const [type = ""] = eventTypes;
  const now = NOW + 2;
  await stage.storage.append(Array.from({ length: firsts }, () => anEvent({ organization, type })));
  await stage.route({ now });
  return now;
}

/** How many claims there are of each organization. */
function countsOf(claims: readonly Claim[]): { readonly [organization: string]: number } {
  const counts: Record<string, number> = {};
  for (const { event } of claims) {
    counts[event.organization] = (counts[event.organization] ?? 0) + 1;
  }
  return counts;
}

/** Lanes of one organization, each with `count` deliveries that wait; answers their ids. */
async function crowd(
  { storage, route }: Stage,
  organization: string,
  lanes: number,
  at: number,
  count = 1,
): Promise<string[]> {
  const type = `thing_${newId().replaceAll("-", "_")}`;
  const records = Array.from({ length: lanes }, () =>
    aSubscription({ organization, eventTypes: [type] }),
  );
  for (const record of records) {
    await storage.subscriptions.create(record, aLane());
  }
  await storage.append(Array.from({ length: count }, () => anEvent({ organization, type })));
  await route({ now: at });
  return records.map(({ id }) => id);
}
