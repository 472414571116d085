import type { NewDelivery } from "@posthorn/core";
import fc from "fast-check";
import { aDelivery, anEvent, storedOf } from "../stage.ts";
import { agree, demand } from "./judge.ts";
import { pick } from "./lists.ts";
import { freshId, land, laneOf, type Model, type Owed, owe } from "./model.ts";
import { seldom, stranger, type Verb, verb, which } from "./world.ts";

interface Send {
  readonly subscription: number;
  readonly isForeign: true | undefined;
  /** The same ids once more. */
  readonly isRepeated: true | undefined;
}

export const send: Verb = verb<Send>(
  2,
  {
    subscription: which,
    isForeign: seldom(fc.constant(true)),
    isRepeated: seldom(fc.constant(true)),
  },
  async ({ storage, model }, { subscription, isForeign, isRepeated }) => {
    const lane = pick(model.lanes.values(), subscription);
    if (lane === undefined) return;
    const own = lane.record.organization;
    const organization = isForeign ? stranger(own) : own;
    const exists = laneOf(model, { id: lane.record.id, organization }) !== null;
    const event = storedOf(
      anEvent({
        id: freshId(model),
        organization,
        type: "webhook_test",
        publishedAt: model.now,
        occurredAt: model.now,
      }),
    );
    const delivery: NewDelivery = {
      ...aDelivery(event, lane.record, model.now),
      id: freshId(model),
    };
    for (const _ of isRepeated ? [1, 2] : [1]) {
      agree("what send answers", await storage.send(event, delivery), exists);
    }
    if (!exists) return;
    model.events.set(event.id, { event, key: null, announced: true });
    owe(model, delivery);
  },
);

interface Redeliver {
  readonly delivery: number;
  readonly isPending: true | undefined;
  readonly isForeign: true | undefined;
  readonly isRepeated: true | undefined;
}

export const redeliver: Verb = verb<Redeliver>(
  4,
  {
    delivery: which,
    isPending: seldom(fc.constant(true)),
    isForeign: seldom(fc.constant(true)),
    isRepeated: seldom(fc.constant(true)),
  },
  async ({ storage, model }, { delivery, isPending, isForeign, isRepeated }) => {
    const owed = pickOwed(model, delivery, isPending === true);
    const newId = freshId(model);
    const { id, organization: own } = owed?.delivery ?? {
      id: freshId(model),
      organization: "acme",
    };
    const organization = isForeign ? stranger(own) : own;
    const expected =
      owed === undefined || isForeign
        ? "not_found"
        : owed.delivery.status === "pending"
          ? "pending"
          : owed.lane.deleted
            ? "subscription_deleted"
            : "created";
    for (const _ of isRepeated ? [1, 2] : [1]) {
      const answer = await storage.redeliver({ organization, id, newId, now: model.now });
      agree("what redeliver answers", answer, expected);
    }
    if (expected !== "created" || owed === undefined) return;
    owe(model, { ...owed.delivery, id: newId, createdAt: model.now }, id);
  },
);

interface Cancel {
  readonly delivery: number;
  readonly isEnded: true | undefined;
  readonly isForeign: true | undefined;
}

export const cancel: Verb = verb<Cancel>(
  3,
  {
    delivery: which,
    isEnded: seldom(fc.constant(true)),
    isForeign: seldom(fc.constant(true)),
  },
  async ({ storage, model }, { delivery, isEnded, isForeign }) => {
    const owed = pickOwed(model, delivery, isEnded === undefined);
    const { id, organization: own } = owed?.delivery ?? {
      id: freshId(model),
      organization: "acme",
    };
    const organization = isForeign ? stranger(own) : own;
    const request = { organization, deliveryId: id, reason: 'Not needed: "?"', now: model.now };
    const expected =
      owed === undefined || isForeign
        ? "not_found"
        : owed.delivery.status === "pending"
          ? "canceled"
          : "not_pending";
    agree("what cancel answers", await storage.cancel(request), expected);
    if (expected !== "canceled") return;
    demand(owed !== undefined, "Nothing was canceled.");
    land(owed, { status: "canceled", reason: request.reason }, model.now);
  },
);

interface CancelAll {
  readonly subscription: number;
  readonly isForeign: true | undefined;
  readonly ageMs: number;
  readonly max: number;
}

/** Which of more than `max` end is the storage's choice. */
export const cancelAll: Verb = verb<CancelAll>(
  1,
  {
    subscription: which,
    isForeign: seldom(fc.constant(true)),
    ageMs: fc.constantFrom(500, 0, 45_000),
    max: fc.constantFrom(99, 2, 1),
  },
  async ({ storage, model }, { subscription, isForeign, ageMs, max }) => {
    const lane = pick(model.lanes.values(), subscription);
    if (lane === undefined) return;
    const { id: subscriptionId, organization: own } = lane.record;
    const { now } = model;
    const request = {
      organization: isForeign ? stranger(own) : own,
      subscriptionId,
      from: now - ageMs,
      until: now,
      reason: "Not needed any more",
      now,
      max,
    };
    const mayGo = [...model.owed.values()].filter(
      ({ lane: other, delivery: { organization, status, createdAt } }) =>
        other === lane &&
        organization === request.organization &&
        status === "pending" &&
        createdAt >= request.from &&
        createdAt < request.until,
    );
    const canceled = await storage.cancelAll(request);
    agree("how many deliveries cancelAll ends", canceled, Math.min(max, mayGo.length));
    let left = canceled;
    for (const owed of mayGo) {
      const seen = await storage.history.delivery(owed.delivery);
      if (seen?.status !== "canceled") continue;
      land(owed, { status: "canceled", reason: request.reason }, now);
      left -= 1;
    }
    agree("how many more deliveries were to be canceled", left, 0);
  },
);

const pickOwed = ({ owed }: Model, number: number, isPending: boolean): Owed | undefined =>
  pick(
    [...owed.values()].filter(({ delivery }) => (delivery.status === "pending") === isPending),
    number,
  );
