import type { Attempt, Backlog, Storage } from "@posthorn/core";
import { follow } from "./follow.ts";
import { agree, demand } from "./judge.ts";
import { deliveriesIn, eventsIn, newestFirst, subscriptionsIn } from "./lists.ts";
import { dueAtOf, isWaiting, type Model, type Owed, waitingIn } from "./model.ts";
import { servedBy } from "./turn.ts";
import { ORGANIZATIONS, type World } from "./world.ts";

/** What can be told after each step. */
export async function agreeOnTraffic({ storage, model }: World): Promise<void> {
  for (const organization of ORGANIZATIONS) {
    const { items } = await storage.history.deliveries({ organization, limit: 1_000 });
    for (const seen of items) {
      const owed = model.owed.get(seen.id);
      demand(owed !== undefined, `The history has a delivery that nobody made: ${seen.id}.`);
      follow(model, owed, seen);
    }
    agree("all deliveries", items, deliveriesIn(model, organization));
  }
  agreeOnBacklog(model, await storage.backlog(model.now));
}

/** All that can be read. */
export async function agreeOnAll(world: World): Promise<void> {
  const { storage, model } = world;
  await agreeOnTraffic(world);
  for (const organization of ORGANIZATIONS) {
    const request = { organization, limit: 1_000 };
    agree(
      "all events",
      (await storage.history.events(request)).items,
      newestFirst(eventsIn(model, organization)),
    );
    agree(
      "all subscriptions",
      (await storage.subscriptions.list(request)).items,
      newestFirst(subscriptionsIn(model, organization)),
    );
  }
  for (const owed of model.owed.values()) await agreeOnAttempts(storage, owed);
}

/** Attempts of one instant may come in any order. */
export async function agreeOnAttempts(
  { history }: Storage<unknown>,
  { delivery, attempts }: Owed,
): Promise<void> {
  const kept = await history.attempts(delivery);
  agree(`the attempts of ${delivery.id}`, oldestFirst(kept), oldestFirst(attempts));
  agree(
    `when the attempts of ${delivery.id} began, oldest first`,
    kept.map(({ startedAt }) => startedAt),
    oldestFirst(attempts).map(({ startedAt }) => startedAt),
  );
}

const oldestFirst = (attempts: readonly Attempt[]): readonly Attempt[] =>
  attempts.toSorted((a, b) => a.startedAt - b.startedAt || (a.token < b.token ? -1 : 1));

function agreeOnBacklog(model: Model, { unrouted, inFlight, waiting, parked }: Backlog): void {
  const open = [...model.lanes.values()].filter((lane) => !lane.parked);
  const kinds = Map.groupBy(open, (lane) => JSON.stringify(servedBy(lane)));
  const expected = [...kinds].flatMap(([kind, lanes]): Backlog["waiting"] => {
    const dues = lanes.flatMap((lane) => waitingIn(model, lane)).map(dueAtOf);
    const oldestDueAt = Math.min(...dues);
    return dues.length === 0 ? [] : [{ ...JSON.parse(kind), count: dues.length, oldestDueAt }];
  });
  agree("what the backlog says of what waits", inOrder(waiting), inOrder(expected));

  const owed = [...model.owed.values()];
  const flying = owed.filter(({ flight }) => flight !== null).length;
  agree("the backlog", { unrouted, inFlight }, { unrouted: model.unrouted.size, inFlight: flying });

  const left = owed.filter((each) => isWaiting(each) && each.lane.parked);
  const kept = left.filter(({ lane }) => !lane.deleted);
  demand(
    kept.length <= parked && parked <= left.length,
    `The backlog says that ${parked} deliveries are parked, but ${left.length} are.`,
  );
}

const inOrder = (waiting: Backlog["waiting"]): Backlog["waiting"] =>
  waiting.toSorted((a, b) =>
    `${a.handlerType} ${a.keyId}` < `${b.handlerType} ${b.keyId}` ? -1 : 1,
  );
