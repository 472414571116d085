import type { Claim, Delivery, StoredEvent, SubscriptionRecord } from "@posthorn/core";
import type { Model } from "./model.ts";

/** The one that a number stands for, or undefined if there is none. */
export const pick = <Item>(items: Iterable<Item>, number: number): Item | undefined => {
  const all = [...items];
  return all[number % all.length];
};

export const eventsIn = ({ events }: Model, organization: string): readonly StoredEvent[] =>
  [...events.values()]
    .map(({ event }) => event)
    .filter((event) => event.organization === organization);

export const subscriptionsIn = (
  { lanes }: Model,
  organization: string,
): readonly SubscriptionRecord[] =>
  [...lanes.values()]
    .filter(({ deleted }) => !deleted)
    .map(({ record }) => record)
    .filter((record) => record.organization === organization);

export const deliveriesIn = ({ owed }: Model, organization: string): readonly Delivery[] =>
  newestFirst(
    [...owed.values()]
      .map(({ delivery }) => delivery)
      .filter((delivery) => delivery.organization === organization),
  );

export const newestFirst = <Item extends { readonly id: string }>(
  items: readonly Item[],
): readonly Item[] => byId(items).toReversed();

export const byId = <Item extends { readonly id: string }>(
  items: readonly Item[],
): readonly Item[] => items.toSorted((a, b) => (a.id < b.id ? -1 : 1));

/** Claims in the order of ids, for the port promises no order of what one call answers. */
export const inOrder = (claims: readonly Claim[]): readonly Claim[] =>
  claims
    .toSorted((a, b) => (a.deliveryId < b.deliveryId ? -1 : 1))
    .map((claim) => ({ ...claim, gates: byId(claim.gates) }));
