import { expect, it } from "vitest";
import { onEachServer } from "../../test/on-each-server.ts";
import { again, LEASE, NOW } from "../../test/work.ts";

onEachServer("when the answer to a commit is lost", ({ fresh }) => {
  it("a claim is not repeated, and what it took lapses", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, claim, storage, said, loseNextCommit } = tables.process();
    await subscribe();
    await publish();
    await route();
    said.length = 0;
    loseNextCommit();
    await expect(claim()).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(said.filter((text) => text === "commit")).toHaveLength(1);
    expect(await storage.backlog(NOW)).toMatchObject({ inFlight: 1, waiting: [] });
    expect((await claim()).claims).toEqual([]);
    const { lapsed, claims } = await claim({ now: NOW + LEASE + 1 });
    expect([lapsed.length, claims.length]).toEqual([1, 1]);
  });

  it("a route is not repeated, and what it started lapses", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, claim, storage, loseNextCommit } = tables.process();
    await subscribe();
    await publish();
    // There is no place for it: what can begin, all of it, is routed without a commit on PostgreSQL.
    await publish();
    loseNextCommit();
    await expect(route({ slots: 1 })).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(await route()).toMatchObject({ events: 0 });
    expect(await storage.backlog(NOW)).toMatchObject({ unrouted: 0, inFlight: 1 });
    expect((await claim({ now: NOW + LEASE + 1 })).lapsed).toHaveLength(1);
  });

  it("a settlement is repeated, and finds its own attempt", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, claim, settle, deliveries, storage, loseNextCommit } =
      tables.process();
    await subscribe();
    await publish();
    await route();
    const { claims } = await claim();
    loseNextCommit();
    expect(await settle(claims, again(NOW))).toEqual(["repeated"]);
    const [delivery] = await deliveries();
    expect(delivery).toMatchObject({ status: "pending", inFlight: false, attempts: 1 });
    const reference = { organization: "acme", id: delivery?.id ?? "" };
    expect(await storage.history.attempts(reference)).toHaveLength(1);
  });

  it("an append is repeated, and adds nothing", async () => {
    const tables = await fresh();
    const { publish, storage, loseNextCommit } = tables.process();
    loseNextCommit();
    await publish();
    loseNextCommit();
    await publish({ idempotencyKey: "order-1" });
    expect(await storage.backlog(NOW)).toMatchObject({ unrouted: 2 });
  });
});
