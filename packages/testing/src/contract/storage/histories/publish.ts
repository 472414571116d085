import type { Appended, NewEvent } from "@posthorn/core";
import fc from "fast-check";
import { anEvent, storedOf } from "../stage.ts";
import { agree } from "./judge.ts";
import { pick } from "./lists.ts";
import { freshId, type Model, NOT_ROUTED, type Published } from "./model.ts";
import {
  type Ending,
  ending,
  isPossible,
  ORGANIZATIONS,
  organization,
  seldom,
  type Verb,
  verb,
  type World,
  which,
  write,
} from "./world.ts";

interface Publish {
  readonly organization: string;
  readonly events: readonly {
    readonly type: string;
    readonly key: string | undefined;
    readonly payload: number;
    readonly isAnnounced: boolean;
  }[];
  /** An earlier event that is appended again, as after an answer that was lost. */
  readonly again: number | undefined;
  readonly tx: Ending;
  readonly isSync: boolean;
}

const PAYLOADS = [
  '{"n":1}',
  `{"q":"it's ? $1 :a \\\\ \\u0000 %s"}`,
  '{"ü":"\u{1f4ef}\\ud800"}',
  "1.0e2",
];

export const publish: Verb = verb<Publish>(
  6,
  {
    organization,
    events: fc.array(
      fc.record({
        type: fc.constantFrom("thing_made", "thing_gone"),
        key: fc.option(fc.constantFrom("order", "Order", "order "), { nil: undefined, freq: 2 }),
        payload: fc.nat(PAYLOADS.length - 1),
        isAnnounced: fc.boolean(),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    again: seldom(which),
    tx: ending,
    isSync: fc.boolean(),
  },
  async (world, { organization, events, again, tx, isSync }) => {
    const { model, storage } = world;
    if (!isPossible(world, tx)) return;
    const given = events.map(({ type, key, payload, isAnnounced }, index) =>
      anEvent({
        id: freshId(model),
        organization,
        type,
        payload: PAYLOADS[payload] ?? "null",
        idempotencyKey: key ?? null,
        announced: isAnnounced,
        publishedAt: model.now,
        occurredAt: model.now - index,
        ...(payload === 1 && { actor: { id: "u-1", name: "Zoë" }, trace: { traceparent: "00-a" } }),
      }),
    );
    const earlier = again === undefined ? undefined : pick(model.events.values(), again);
    if (earlier !== undefined) {
      const { event, key, announced } = earlier;
      given.splice(1, 0, { ...event, idempotencyKey: key, announced });
    }

    const answers = await write(world, tx, (tx) =>
      isSync && tx !== undefined && storage.appendSync
        ? storage.appendSync(given, tx)
        : storage.append(given, tx),
    );
    const { expected, added } = append(model, given);
    agree("append answers what is stored", answers, expected);
    if (tx === "rollback") return;
    for (const each of added) {
      model.events.set(each.event.id, each);
      model.unrouted.set(each.event.id, NOT_ROUTED);
    }
  },
);

/** One event for each organization, so that routing looks at every lane and gate. */
export async function publishToAll({ storage, model }: World): Promise<void> {
  for (const organization of ORGANIZATIONS) {
    const event = anEvent({ id: freshId(model), organization, publishedAt: model.now });
    await storage.append([event]);
    model.events.set(event.id, { event: storedOf(event), key: null, announced: true });
    model.unrouted.set(event.id, NOT_ROUTED);
  }
}

function append(
  { events }: Model,
  given: readonly NewEvent[],
): { readonly expected: readonly Appended[]; readonly added: readonly Published[] } {
  const added: Published[] = [];
  const expected = given.map((each): Appended => {
    const known = [...events.values(), ...added];
    const { id, organization, idempotencyKey: key } = each;
    const earlier =
      known.find(({ event }) => event.id === id) ??
      (key === null
        ? undefined
        : known.find((other) => other.key === key && other.event.organization === organization));
    if (earlier !== undefined) return { event: earlier.event, repeated: earlier.event.id !== id };
    const event = storedOf(each);
    added.push({ event, key, announced: each.announced });
    return { event, repeated: false };
  });
  return { expected, added };
}
