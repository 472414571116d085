import type {
  Attempt,
  Delivery,
  DeliveryStatus,
  PageOf,
  PageRequest,
  Reference,
  Replay,
  StoredEvent,
  SubscriptionRecord,
} from "@posthorn/core";
import { type Dialect, type TableName, tested } from "./dialect.ts";
import { statusCode, toAttempt, toDelivery, toEvent, toSubscription } from "./records.ts";
import { toReplay } from "./replays.ts";
import { type Param, type Row, rowsOf, type Script } from "./script.ts";

export interface History {
  event(reference: Reference): Script<StoredEvent | null>;
  events(
    request: PageRequest & { readonly type?: string | undefined },
  ): Script<PageOf<StoredEvent>>;
  delivery(reference: Reference): Script<Delivery | null>;
  deliveries(
    request: PageRequest & {
      readonly subscriptionId?: string | undefined;
      readonly eventId?: string | undefined;
      readonly status?: DeliveryStatus | undefined;
    },
  ): Script<PageOf<Delivery>>;
  attempts(reference: Reference): Script<readonly Attempt[]>;
  subscriptions(request: PageRequest): Script<PageOf<SubscriptionRecord>>;
  replays(
    request: PageRequest & { readonly subscriptionId?: string | undefined },
  ): Script<PageOf<Replay>>;
}

/** Which rows a page shows, and the index by which they are found in the order of their ids. */
interface Selection {
  readonly table: TableName;
  readonly index: string;
  /** Conditions with the value for the one parameter of each; those without a value are left out. */
  readonly where: { readonly [condition: string]: Param | undefined };
}

export function historyIn(dialect: Dialect): History {
  const { table, by, given, newestFirst, oldestFirst } = dialect;
  const is = (column: string): string =>
    `${column} = ${given(column === "status" || column === "failed" ? "int" : "key")}`;
  const one = (name: TableName): string =>
    `select * from ${table(name)} where id = ? and organization = ?`;
  const event = one("events");
  const delivery = one("deliveries");
  const attempts = `select a.* from ${table("deliveries")} d join ${table("attempts")} a on a.delivery_id = d.id where d.id = ? and d.organization = ? order by a.started_at, a.token`;

  function deliveriesLike(request: Parameters<History["deliveries"]>[0]): Selection {
    const { organization, subscriptionId, eventId, status } = request;
    const code = status === undefined ? undefined : statusCode(status);
    const isFailed = status === "dead" || status === "canceled";
    const isNarrow = eventId !== undefined || subscriptionId !== undefined;
    return {
      table: "deliveries",
      index:
        eventId !== undefined
          ? "event"
          : !isNarrow
            ? "organization"
            : isFailed
              ? "failed"
              : "history",
      where: {
        [is("event_id")]: eventId,
        [is("subscription_id")]: subscriptionId,
        [isNarrow ? tested(is("organization")) : is("organization")]: organization,
        // In so many words, for an index that has only these rows.
        [isFailed ? `${is("failed")} and failed is not null` : is("status")]: code,
      },
    };
  }

  function* pageOf<Item>(
    selection: Selection,
    { after, before, limit }: PageRequest,
    read: (row: Row) => Item,
  ): Script<PageOf<Item>> {
    const { table: name, index, where } = selection;
    const asked = Object.entries(where).filter(([, value]) => value !== undefined);
    const source = `${by(name, index)} where ${asked.map(([condition]) => condition).join(" and ")}`;
    const values = asked.map(([, value]) => value as Param);
    const bounds = [
      ...(after === undefined ? [] : [{ text: `id < ${given("key")}`, id: after }]),
      ...(before === undefined ? [] : [{ text: `id > ${given("key")}`, id: before }]),
    ];
    const isUpwards = after === undefined && before !== undefined;
    const found = yield* rowsOf(
      `select * from ${source}${bounds.map(({ text }) => ` and ${text}`).join("")} order by id ${isUpwards ? oldestFirst : newestFirst} limit ${given("int")}`,
      ...values,
      ...bounds.map(({ id }) => id),
      limit + 1,
    );
    const items = found.slice(0, limit).map(read);
    const isMore = found.length > limit;
    const exists = function* (bound: string, id: string | undefined): Script<boolean> {
      if (id === undefined) return false;
      const text = `select 1 as there from ${source} and ${bound} order by id ${newestFirst} limit 1`;
      return (yield* rowsOf(text, ...values, id)).length > 0;
    };
    return isUpwards
      ? {
          items: items.reverse(),
          newer: isMore,
          older: yield* exists(`id <= ${given("key")}`, before),
        }
      : {
          items,
          newer: yield* exists(`id >= ${given("key")}`, after),
          older: isMore || (yield* exists(`id <= ${given("key")}`, before)),
        };
  }

  return {
    event: function* ({ organization, id }) {
      const [row] = yield* rowsOf(event, id, organization);
      return row === undefined ? null : toEvent(row);
    },
    events: (request) => {
      const where = { [is("organization")]: request.organization, [is("type")]: request.type };
      return pageOf({ table: "events", index: "organization", where }, request, toEvent);
    },
    delivery: function* ({ organization, id }) {
      const [row] = yield* rowsOf(delivery, id, organization);
      return row === undefined ? null : toDelivery(row);
    },
    deliveries: (request) => pageOf(deliveriesLike(request), request, toDelivery),
    attempts: function* ({ organization, id }) {
      return (yield* rowsOf(attempts, id, organization)).map(toAttempt);
    },
    subscriptions: (request) => {
      const where = { [is("organization")]: request.organization };
      return pageOf(
        { table: "subscriptions", index: "organization", where },
        request,
        toSubscription,
      );
    },
    replays: (request) => {
      const where = {
        [is("organization")]: request.organization,
        [is("subscription_id")]: request.subscriptionId,
      };
      return pageOf({ table: "replays", index: "organization", where }, request, toReplay);
    },
  };
}
