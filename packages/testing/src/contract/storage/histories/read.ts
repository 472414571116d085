import type { PageOf, PageRequest, Reference } from "@posthorn/core";
import fc from "fast-check";
import { agreeOnAttempts } from "./account.ts";
import { agree } from "./judge.ts";
import { byId, deliveriesIn, eventsIn, newestFirst, pick, subscriptionsIn } from "./lists.ts";
import { freshId, type Lane } from "./model.ts";
import { organization, seldom, stranger, type Verb, verb, which } from "./world.ts";

interface Page {
  readonly of: "events" | "deliveries" | "subscriptions";
  readonly organization: string;
  readonly limit: number;
  readonly from: "after" | "before" | undefined;
  readonly cursor: number;
  readonly filter: "type" | "event" | "subscription" | "status" | undefined;
  readonly value: number;
}

const TYPES = ["thing_made", "thing_gone", "thing"];
const STATUSES = ["pending", "delivered", "dead", "canceled"] as const;

export const page: Verb = verb<Page>(
  5,
  {
    of: fc.constantFrom("deliveries", "events", "subscriptions"),
    organization,
    limit: fc.constantFrom(10, 3, 1),
    from: fc.constantFrom(undefined, "after", "before"),
    cursor: which,
    filter: fc.constantFrom(undefined, "type", "event", "subscription", "status"),
    value: which,
  },
  async ({ storage, model }, { of, organization, limit, from, cursor, filter, value }) => {
    const { events, owed, lanes } = model;
    const ids = [...owed.keys(), ...events.keys(), ...lanes.keys(), freshId(model)];
    const request = { organization, limit, ...(from && { [from]: pick(ids, cursor) }) };
    const asked = <Item>(name: Page["filter"], values: Iterable<Item>): Item | undefined =>
      filter === name ? pick(values, value) : undefined;

    if (of === "subscriptions") {
      const expected = pageOf(subscriptionsIn(model, organization), request);
      agree("a page of subscriptions", await storage.subscriptions.list(request), expected);
    } else if (of === "events") {
      const type = asked("type", TYPES);
      const found = eventsIn(model, organization).filter((event) => is(type, event.type));
      const expected = pageOf(found, request);
      agree("a page of events", await storage.history.events({ ...request, type }), expected);
    } else {
      const eventId = asked("event", events.keys());
      const subscriptionId = asked("subscription", lanes.keys());
      const status = asked("status", STATUSES);
      const filtered = { ...request, eventId, subscriptionId, status };
      const found = deliveriesIn(model, organization).filter(
        (delivery) =>
          is(eventId, delivery.eventId) &&
          is(subscriptionId, delivery.subscriptionId) &&
          is(status, delivery.status),
      );
      const expected = pageOf(found, request);
      agree("a page of deliveries", await storage.history.deliveries(filtered), expected);
    }
  },
);

const is = (filter: string | undefined, value: string): boolean =>
  filter === undefined || filter === value;

interface One {
  readonly number: number;
  readonly isForeign: true | undefined;
}

/** One of each kind, by its id. */
export const one: Verb = verb<One>(
  3,
  { number: which, isForeign: seldom(fc.constant(true)) },
  async ({ storage, model }, { number, isForeign }) => {
    const referenceOf = ({ id, organization }: Reference): Reference => ({
      id,
      organization: isForeign ? stranger(organization) : organization,
    });
    const unknown = { id: freshId(model), organization: "acme" };
    const lane = pick(model.lanes.values(), number);
    const subscription = await storage.subscriptions.get(referenceOf(lane?.record ?? unknown));
    const isThere = lane !== undefined && !lane.deleted && !isForeign;
    agree("a subscription", subscription, isThere ? lane.record : null);

    const event = pick(model.events.values(), number)?.event;
    const found = await storage.history.event(referenceOf(event ?? unknown));
    agree("an event", found, isForeign ? null : (event ?? null));

    const owed = pick(model.owed.values(), number);
    const reference = referenceOf(owed?.delivery ?? unknown);
    const delivery = await storage.history.delivery(reference);
    agree("a delivery", delivery, isForeign ? null : (owed?.delivery ?? null));
    if (owed !== undefined && !isForeign) await agreeOnAttempts(storage, owed);
    else agree("attempts", await storage.history.attempts(reference), []);
  },
);

/** Which subscriptions another key has to seal anew. */
export const sealed: Verb = verb<{ readonly after: number | undefined; readonly limit: number }>(
  1,
  { after: seldom(which), limit: fc.constantFrom(9, 1) },
  async ({ storage, model }, { after, limit }) => {
    const keyId = "key-1";
    const above = after === undefined ? null : (pick(model.lanes.keys(), after) ?? null);
    const expected = [...model.lanes.values()]
      .filter(({ deleted, definition }) => !deleted && needsAnother(definition, keyId))
      .map(({ record }) => record)
      .filter(({ id }) => above === null || id > above);
    agree(
      "the subscriptions that are sealed otherwise",
      await storage.subscriptions.sealedOtherwise({ keyId, after: above, limit }),
      byId(expected).slice(0, limit),
    );
  },
);

const needsAnother = ({ keyId, gateKeyId, gates }: Lane["definition"], key: string): boolean =>
  (keyId !== null && keyId !== key) || (gates.length > 0 && gateKeyId !== key);

/** A page, and what lies beside it; where it has no items, beside the place where they would be. */
function pageOf<Item extends { readonly id: string }>(
  given: readonly Item[],
  { limit, after, before }: Pick<PageRequest, "limit" | "after" | "before">,
): PageOf<Item> {
  const all = newestFirst(given);
  const items =
    before === undefined
      ? all.filter(({ id }) => after === undefined || id < after).slice(0, limit)
      : all.filter(({ id }) => id > before).slice(-limit);
  const [newest, oldest] = [items[0]?.id, items.at(-1)?.id];
  return {
    items,
    older: all.some(({ id }) => (oldest === undefined ? before !== undefined : id < oldest)),
    newer: all.some(({ id }) => (newest === undefined ? after !== undefined : id > newest)),
  };
}
