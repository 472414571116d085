import type { Appended, NewEvent, StoredEvent } from "@posthorn/core";
import { type Dialect, sent } from "./dialect.ts";
import { eventRow, text, textOrNull, toEvent } from "./records.ts";
import { rowsOf, type Script } from "./script.ts";

export type Append = (events: readonly NewEvent[]) => Script<readonly Appended[]>;

/** Inserts that find, each time, an event that is gone when it is read. */
const MOST_TRIES = 3;

export function appending(dialect: Dialect): Append {
  const { rows, lookUp, forShare } = dialect;
  const byId = `select e.* from ${rows("r", { id: "key" })} ${lookUp("events", "e")} on e.id = r.id`;
  const byKey = `select e.* from ${rows("r", { organization: "key", idempotency_key: "key" })} ${lookUp("events", "e", "idempotency")} on e.organization = r.organization and e.idempotency_key = r.idempotency_key`;

  /** Those that were there already: by idempotency key, or else by id. */
  function* earlier(
    events: readonly NewEvent[],
    locking: string,
  ): Script<(event: NewEvent) => StoredEvent | undefined> {
    const keys = events.flatMap(({ organization, idempotencyKey }) =>
      idempotencyKey === null ? [] : [{ organization, idempotency_key: idempotencyKey }],
    );
    const keyed = keys.length === 0 ? [] : yield* rowsOf(`${byKey}${locking}`, sent(keys));
    const ofKey = new Map(
      keyed.map((row) => [
        keyOf(text(row["organization"]), textOrNull(row["idempotency_key"])),
        toEvent(row),
      ]),
    );
    const ids = events
      .filter(({ organization, idempotencyKey }) => !ofKey.has(keyOf(organization, idempotencyKey)))
      .map(({ id }) => ({ id }));
    const found = ids.length === 0 ? [] : yield* rowsOf(`${byId}${locking}`, sent(ids));
    const ofId = new Map(found.map((row) => [text(row["id"]), toEvent(row)]));
    return ({ id, organization, idempotencyKey }) =>
      ofKey.get(keyOf(organization, idempotencyKey)) ?? ofId.get(id);
  }

  return function* (events) {
    const stored = new Map<NewEvent, Appended>();
    let left = events;
    for (let tries = 0; left.length > 0 && tries < MOST_TRIES; tries += 1) {
      const unique = new Map(left.map((event) => [event.id, event]));
      const fresh = new Set(yield* dialect.appending([...unique.values()].map(eventRow)));
      for (const event of left) {
        if (!fresh.delete(event.id)) continue;
        stored.set(event, { event: toStored(event), repeated: false });
      }
      left = left.filter((event) => !stored.has(event));
      if (left.length === 0) break;
      // Locks only where an isolation hides what is there: MySQL locks the places around it too.
      const found = yield* earlier(left, tries === 0 ? "" : forShare);
      for (const event of left) {
        const first = found(event);
        if (first !== undefined)
          stored.set(event, { event: first, repeated: first.id !== event.id });
      }
      left = left.filter((event) => !stored.has(event));
    }
    return events.map((event) => {
      const appended = stored.get(event);
      if (appended === undefined) {
        throw new Error(
          `Event ${event.id} could not be stored: an earlier one with its idempotency key is being removed. Publish it again.`,
        );
      }
      return appended;
    });
  };
}

const keyOf = (organization: string, key: string | null): string =>
  JSON.stringify([organization, key]);

function toStored({
  idempotencyKey: _key,
  announced: _announced,
  ...event
}: NewEvent): StoredEvent {
  const { actor, trace } = event;
  return { ...event, actor: actor && structuredClone(actor), trace: trace && { ...trace } };
}
