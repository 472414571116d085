import type { HistoryReader } from "@posthorn/core";
import { pageOf } from "./page.ts";
import { findOwed, ready, type State } from "./state.ts";

export function historyIn(state: State): HistoryReader {
  const { events, deliveries } = state;
  return {
    event: async ({ organization, id }) => {
      ready(state);
      const event = events.get(id)?.event;
      return event?.organization === organization ? event : null;
    },

    events: async (request) => {
      ready(state);
      const { organization, type } = request;
      const found = [...events.values()]
        .map(({ event }) => event)
        .filter((event) => event.organization === organization && isAsked(type, event.type));
      return pageOf(found, request);
    },

    delivery: async (reference) => {
      ready(state);
      return findOwed(state, reference)?.delivery ?? null;
    },

    deliveries: async (request) => {
      ready(state);
      const { organization, eventId, subscriptionId, status } = request;
      const owed = eventId === undefined ? deliveries.values() : (events.get(eventId)?.owed ?? []);
      const found = [...owed]
        .map(({ delivery }) => delivery)
        .filter(
          (delivery) =>
            delivery.organization === organization &&
            isAsked(subscriptionId, delivery.subscriptionId) &&
            isAsked(status, delivery.status),
        );
      return pageOf(found, request);
    },

    attempts: async (reference) => {
      ready(state);
      const attempts = findOwed(state, reference)?.attempts ?? [];
      return attempts.toSorted((a, b) => a.startedAt - b.startedAt);
    },
  };
}

const isAsked = (filter: string | undefined, value: string): boolean =>
  filter === undefined || filter === value;
