import type { Publisher } from "@posthorn/core";
import { createTestBus } from "@posthorn/testing";
import { expect, it } from "vitest";
import { catalog } from "./bus.ts";

// #region callers
/** Creates a project in the caller's transaction, whatever that is. */
async function createProject<Tx>(
  bus: Publisher<typeof catalog, Tx>,
  tx: Tx,
  name: string,
): Promise<void> {
  await bus.publish("project_created", { name }, { organization: "acme", tx });
}
// #endregion callers

// #region test
it("tells of a project when its transaction commits", async () => {
  const bus = createTestBus({ catalog, handlers: [] });
  const tx = {};
  await createProject(bus, tx, "web");
  expect((await bus.events.list({ organization: "acme" })).items).toEqual([]);
  await bus.commit(tx);
  expect((await bus.events.list({ organization: "acme" })).items).toHaveLength(1);
});

it("tells nothing of a project whose transaction is rolled back", async () => {
  const bus = createTestBus({ catalog, handlers: [] });
  const tx = {};
  await createProject(bus, tx, "web");
  bus.rollback(tx);
  await bus.drain();
  expect((await bus.events.list({ organization: "acme" })).items).toEqual([]);
});
// #endregion test
