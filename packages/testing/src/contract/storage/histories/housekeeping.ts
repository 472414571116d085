import fc from "fast-check";
import { agree, demand } from "./judge.ts";
import { isWaiting, land, type Model } from "./model.ts";
import { type Draw, organization, seldom, type Verb, verb, type World } from "./world.ts";

interface Keeping {
  readonly ageMs: number;
  readonly max: number;
}

const keeping: Draw<Keeping> = {
  ageMs: fc.constantFrom(-1, 0, 1_000, 60_000),
  max: fc.constantFrom(99, 3, 2, 1),
};

/** Seldom of what is young: little would be left to deliver. */
const ageMs = fc.oneof(
  { weight: 5, arbitrary: fc.constant(60_000) },
  { weight: 1, arbitrary: keeping.ageMs },
);

export const sweep: Verb = verb<Keeping>(2, { ...keeping, ageMs }, async (world, given) => {
  await sweepOnce(world, given);
});

interface Pruning extends Keeping {
  readonly organization: string | undefined;
}

export const prune: Verb = verb<Pruning>(
  2,
  { ...keeping, organization: seldom(organization) },
  async (world, given) => {
    await pruneOnce(world, given);
  },
);

/** Ends all that nobody will deliver. */
export async function sweepAll(world: World): Promise<void> {
  for (let turns = 2 * world.model.owed.size + 20; turns > 0; turns -= 1) {
    if ((await sweepOnce(world, { ageMs: -1, max: 5 })) < 5) return;
  }
  throw new Error("Sweeping does not come to an end.");
}

/** Forgets all that has ended. */
export async function pruneAll(world: World): Promise<void> {
  for (let turns = world.model.events.size + 2; turns > 0; turns -= 1) {
    if ((await pruneOnce(world, { ageMs: -1, max: 5, organization: undefined })) === 0) return;
  }
  throw new Error("Pruning does not come to an end.");
}

async function sweepOnce({ storage, model }: World, { ageMs, max }: Keeping): Promise<number> {
  const { now } = model;
  const expireBefore = now - ageMs;
  const swept = await storage.sweep({ now, expireBefore, max });

  let changed = 0;
  let left = 0;
  for (const owed of model.owed.values()) {
    const { lane, delivery } = owed;
    if (!isWaiting(owed)) continue;
    if (!lane.deleted && delivery.createdAt >= expireBefore) continue;
    const { id, organization } = delivery;
    const seen = await storage.history.delivery({ organization, id });
    if (seen?.status === "pending") {
      left += 1;
      continue;
    }
    const status = lane.deleted ? "canceled" : "dead";
    const reason = seen?.reason ?? "";
    demand(lane.deleted ? reason !== "" : reason.startsWith("expired"), `${id} ended: ${reason}`);
    land(owed, { status, reason }, now);
    agree(`delivery ${id}, which was swept`, seen, owed.delivery);
    changed += 1;
  }
  demand(swept <= max, `sweep changed ${swept} rows, but ${max} was the most.`);
  demand(
    left === 0 || swept === max,
    `sweep says that it is done, but ${left} deliveries are left.`,
  );
  const removable = [...model.lanes.values()].filter(({ deleted }) => deleted).length;
  demand(
    changed <= swept && swept <= changed + removable,
    `sweep says that it changed ${swept} rows, but it changed ${changed} deliveries.`,
  );
  return swept;
}

async function pruneOnce(
  { storage, model }: World,
  { ageMs, max, organization }: Pruning,
): Promise<number> {
  const before = model.now - ageMs;
  const pruned = await storage.prune({ before, max, organization });
  const mayGo = [...model.events.values()].filter(
    ({ event }) =>
      event.publishedAt < before &&
      (organization === undefined || event.organization === organization) &&
      isOver(model, event.id),
  );
  const most = Math.min(max, mayGo.length);
  demand(
    Math.min(1, most) <= pruned && pruned <= most,
    `prune says that it forgot ${pruned} events, and it may forget ${most}.`,
  );

  let gone = 0;
  for (const { event } of mayGo) {
    if ((await storage.history.event(event)) !== null) continue;
    gone += 1;
    model.events.delete(event.id);
    for (const { delivery } of [...model.owed.values()]) {
      if (delivery.eventId !== event.id) continue;
      model.owed.delete(delivery.id);
      agree(
        `the attempts of ${delivery.id}, which was forgotten`,
        await storage.history.attempts(delivery),
        [],
      );
    }
  }
  agree("how many events were forgotten", gone, pruned);
  return pruned;
}

const isOver = ({ unrouted, owed }: Model, eventId: string): boolean =>
  !unrouted.has(eventId) &&
  [...owed.values()].every(
    ({ delivery }) => delivery.eventId !== eventId || delivery.status !== "pending",
  );
