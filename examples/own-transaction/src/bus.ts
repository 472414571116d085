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

export const catalog = defineCatalog({
  ...family("project", { schema: object({ name: string() }) }),
});

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
  const crier = defineHandler({
    type: "crier",
    configuration: object({}),
    deliver: async ({ event }) => {
      callOut(`${event.type}: ${event.payload}`);
      return delivered();
    },
  });
  // #region bus
  const bus = createEventBus({ catalog, storage, handlers: [crier] });
  // #endregion bus
  await bus.subscriptions.create({
    organization: "acme",
    name: "Town crier",
    eventTypes: ["*"],
    type: "crier",
    configuration: {},
  });
  return bus;
}
