import type { SubscriptionFindings, SubscriptionRecord } from "@posthorn/core";
import fc from "fast-check";
import { aSubscription } from "../stage.ts";
import { agree } from "./judge.ts";
import { pick } from "./lists.ts";
import { freshId, type Lane, laneOf, learn } from "./model.ts";
import { define, definitionOf, type Wish, wish } from "./wish.ts";
import {
  type Ending,
  ending,
  isPossible,
  organization,
  seldom,
  stranger,
  type Verb,
  verb,
  which,
  write,
} from "./world.ts";

interface Subscribe extends Wish {
  readonly organization: string;
  readonly handlerType: string;
  readonly key: string | undefined;
  /** One that exists is created again, as after an answer that was lost. */
  readonly again: number | undefined;
}

export const subscribe: Verb = verb<Subscribe>(
  4,
  {
    organization,
    handlerType: fc.constantFrom("http", "chat"),
    key: seldom(fc.constantFrom("first", "First")),
    again: seldom(which),
    ...wish,
  },
  async (world, { organization, handlerType, key, again, tx, ...wish }) => {
    const { storage, model } = world;
    if (!isPossible(world, tx)) return;
    const living = [...model.lanes.values()].filter(({ deleted }) => !deleted);
    const known = again === undefined ? undefined : pick(living, again)?.record;
    const idempotencyKey = known === undefined ? (key ?? null) : known.idempotencyKey;
    const record = aSubscription({
      id: known?.id ?? freshId(model),
      organization: known?.organization ?? organization,
      type: handlerType,
      eventTypes: wish.eventTypes,
      configuration: { url: "https://example.com/?q=ü" },
      secrets: wish.keyId === null ? {} : { token: "sealed" },
      enabled: !wish.isOff,
      idempotencyKey,
      fingerprint: idempotencyKey && "f",
      createdAt: model.now,
      updatedAt: model.now,
    });
    const definition = definitionOf(record, wish);
    const earlier = living.find(
      ({ record: other }) =>
        other.id === record.id ||
        (other.organization === record.organization &&
          idempotencyKey !== null &&
          other.idempotencyKey === idempotencyKey),
    );
    const answer = await write(world, tx, (tx) =>
      storage.subscriptions.create(record, definition, tx),
    );
    agree("what create answers", answer, earlier?.record ?? null);
    if (earlier !== undefined || tx === "rollback") return;
    const lane: Lane = {
      record,
      definition,
      parked: false,
      deleted: false,
      turnFrom: Number.POSITIVE_INFINITY,
      askedAt: 0,
      restsUntil: 0,
      leftOut: 0,
    };
    model.lanes.set(record.id, lane);
    define(model, lane, record, definition);
  },
);

interface Update extends Wish {
  readonly subscription: number;
  /** How far the version is from the one that would be right. */
  readonly versionsOff: number | undefined;
  readonly isForeign: true | undefined;
}

export const update: Verb = verb<Update>(
  4,
  {
    subscription: which,
    versionsOff: seldom(fc.constantFrom(-1, 1)),
    isForeign: seldom(fc.constant(true)),
    ...wish,
  },
  async (world, { subscription, versionsOff = 0, isForeign, tx, ...wish }) => {
    const { storage, model } = world;
    const lane = pick(model.lanes.values(), subscription);
    if (lane === undefined || !isPossible(world, tx)) return;
    const { organization, version } = lane.record;
    const record: SubscriptionRecord = {
      ...lane.record,
      organization: isForeign ? stranger(organization) : organization,
      name: `Renamed at ${model.now}`,
      eventTypes: wish.eventTypes,
      enabled: !wish.isOff,
      disabledReason: null,
      version: version + 1 + versionsOff,
      updatedAt: model.now,
    };
    const definition = definitionOf(record, wish);
    const isDue = laneOf(model, record) !== null && versionsOff === 0;
    const answer = await write(world, tx, (tx) =>
      storage.subscriptions.update(record, definition, tx),
    );
    agree("what update answers", answer, isDue);
    if (isDue && tx !== "rollback") define(model, lane, record, definition);
  },
);

interface Unsubscribe {
  readonly subscription: number;
  readonly isForeign: true | undefined;
  readonly tx: Ending;
}

export const unsubscribe: Verb = verb<Unsubscribe>(
  2,
  { subscription: which, isForeign: seldom(fc.constant(true)), tx: ending },
  async (world, { subscription, isForeign, tx }) => {
    const { storage, model } = world;
    const lane = pick(model.lanes.values(), subscription);
    if (lane === undefined || !isPossible(world, tx)) return;
    const { id, organization } = lane.record;
    const reference = { id, organization: isForeign ? stranger(organization) : organization };
    const exists = laneOf(model, reference) !== null;
    const answer = await write(world, tx, (tx) =>
      storage.subscriptions.delete(reference, model.now, tx),
    );
    agree("what delete answers", answer, exists);
    if (!exists || tx === "rollback") return;
    lane.deleted = true;
    lane.parked = true;
  },
);

interface Report {
  readonly subscription: number;
  readonly isStale: true | undefined;
  readonly isForeign: true | undefined;
  readonly finding: "ok" | "warning" | "off";
}

export const report: Verb = verb<Report>(
  2,
  {
    subscription: which,
    isStale: seldom(fc.constant(true)),
    isForeign: seldom(fc.constant(true)),
    finding: fc.constantFrom("ok", "warning", "off"),
  },
  async ({ storage, model }, { subscription, isStale, isForeign, finding }) => {
    const lane = pick(model.lanes.values(), subscription);
    if (lane === undefined) return;
    const { id, organization, version } = lane.record;
    const reference = { id, organization: isForeign ? stranger(organization) : organization };
    const findings = FINDINGS[finding](model.now);
    await storage.subscriptions.report(
      { ...reference, version: isStale ? version - 1 : version },
      findings,
    );
    if (!isStale && laneOf(model, reference) !== null) learn(lane, findings);
  },
);

const FINDINGS: { readonly [Name in Report["finding"]]: (now: number) => SubscriptionFindings } = {
  ok: (now) => ({ status: "ok", statusDetail: null, statusCheckedAt: now, failing: null }),
  warning: (now) => ({
    status: "warning",
    statusDetail: "It's slow.",
    state: { slow: [true] },
    failing: { since: now, attempts: 2, warned: true },
  }),
  off: () => ({ disabledReason: "The host switched it off." }),
};
