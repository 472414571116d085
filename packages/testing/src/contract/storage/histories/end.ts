import { agreeOnAll } from "./account.ts";
import { claimAll } from "./claim.ts";
import { pruneAll, sweepAll } from "./housekeeping.ts";
import { agree, demand } from "./judge.ts";
import { isWaiting } from "./model.ts";
import { publishToAll } from "./publish.ts";
import { routeAll } from "./route.ts";
import { deliver } from "./settle.ts";
import { ALL, ORGANIZATIONS, type World } from "./world.ts";

/**
 * How every history ends: all is as the model says; then a dispatcher that can do everything
 * works until nothing is left to wait for, and housekeeping leaves an empty storage.
 */
export async function end(world: World): Promise<void> {
  const { storage, model } = world;
  await agreeOnAll(world);

  await publishToAll(world);
  await routeAll(world);
  // A gate with probes out is asked each second for a minute.
  for (let turns = 3 * model.owed.size + 200; turns > 0; turns -= 1) {
    const { claims, nextDueAt } = await claimAll(world, ALL);
    const isTold = model.unrouted.size > 0;
    // What lapsed may have switched subscriptions off, and others hear of it.
    await routeAll(world);
    await deliver(world, claims);
    if (claims.length > 0 || isTold) continue;
    if (nextDueAt === null) break;
    model.now = nextDueAt;
  }
  for (const owed of model.owed.values()) {
    const isLeft = owed.flight !== null || (isWaiting(owed) && !owed.lane.parked);
    demand(!isLeft, `Nobody delivers ${JSON.stringify(owed.delivery)}.`);
  }
  await agreeOnAll(world);

  await sweepAll(world);
  await agreeOnAll(world);
  await pruneAll(world);
  await agreeOnAll(world);
  for (const organization of ORGANIZATIONS) {
    const { items } = await storage.history.events({ organization, limit: 1 });
    agree("events that are left when all have ended", items, []);
  }
}
