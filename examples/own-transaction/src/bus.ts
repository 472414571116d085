import {
  createEventBus,
  defineCatalog,
  defineHandler,
  delivered,
  type EventBus,
  family,
  type Publisher,
  type Storage,
} from "@posthorn/core";
import type { SqlTransaction } from "@posthorn/storage-sql/transaction";
import { object, string } from "valibot";

// #region catalog
export const catalog = defineCatalog({
  ...family("project", { schema: object({ name: string() }) }),
});
// #endregion catalog

/** What publishes in transactions of one kind of database. */
export type Bus<Database extends "sqlite" | "postgres" | "mysql"> = Publisher<
  typeof catalog,
  SqlTransaction<Database>
>;

/** A bus with one subscriber, who calls out what arrives. */
export async function createBus<Tx>(
  storage: Storage<Tx>,
  callOut: (text: string) => void,
): Promise<EventBus<typeof catalog, typeof crier, Tx>> {
  // #region crier
  const crier = defineHandler({
    type: "crier",
    configuration: object({}),
    deliver: async ({ event }) => {
      callOut(`${event.type}: ${event.payload}`);
      return delivered();
    },
  });
  // #endregion crier
  // #region bus
  const bus = createEventBus({ catalog, storage, handlers: [crier] });
  // #endregion bus
  // #region subscribe
  await bus.subscriptions.create({
    organization: "acme",
    name: "Town crier",
    eventTypes: ["*"],
    type: "crier",
    configuration: {},
  });
  // #endregion subscribe
  return bus;
}
