import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Delivery } from "./delivery.ts";
import { firstsBesideRetries, isRetry } from "./first-attempts.ts";

const template: Delivery = {
  id: "d",
  organization: "acme",
  eventId: "e",
  eventType: "thing_made",
  subscriptionId: "s",
  handlerType: "slack",
  status: "pending",
  inFlight: false,
  dueAt: 0,
  attempts: 0,
  throttles: 0,
  lapses: 0,
  reason: null,
  redeliveryOf: null,
  createdAt: 0,
  completedAt: null,
};
const first = (id: string): Delivery => ({ ...template, id });
const retry = (id: string): Delivery => ({ ...template, id, attempts: 1 });

const backlog = fc
  .array(fc.boolean(), { maxLength: 60 })
  .map((kinds) => kinds.map((isNew, nr) => (isNew ? first(`${nr}`) : retry(`${nr}`))));
const ordered = (due: readonly Delivery[], salt: string): readonly Delivery[] =>
  firstsBesideRetries(due, (delivery) => delivery, salt);

describe("first attempts beside retries", () => {
  it("are seven of ten, though all retries are due earlier", () => {
    const due = [
      ...Array.from({ length: 50 }, (_, nr) => retry(`r${nr}`)),
      ...Array.from({ length: 50 }, (_, nr) => first(`f${nr}`)),
    ];
    fc.assert(
      fc.property(fc.string(), (salt) => {
        expect(ordered(due, salt).slice(0, 10).filter(isRetry)).toHaveLength(3);
      }),
    );
  });

  it("are seven of ten on average where claims take one at a time", () => {
    const due = [retry("r"), first("f")];
    const salts = Array.from({ length: 2_000 }, (_, nr) => `a token ${nr}`);
    const retries = salts.filter((salt) => isRetry(ordered(due, salt)[0] ?? template));
    expect(retries.length / salts.length).toBeGreaterThan(0.25);
    expect(retries.length / salts.length).toBeLessThan(0.35);
  });

  it("leave nothing out", () => {
    fc.assert(
      fc.property(backlog, fc.string(), (due, salt) => {
        expect(new Set(ordered(due, salt))).toEqual(new Set(due));
        expect(ordered(due, salt)).toHaveLength(due.length);
      }),
    );
  });

  it("keep their order, as retries do", () => {
    fc.assert(
      fc.property(backlog, fc.string(), (due, salt) => {
        const order = ordered(due, salt);
        const isFirst = (delivery: Delivery): boolean => !isRetry(delivery);
        expect(order.filter(isRetry)).toEqual(due.filter(isRetry));
        expect(order.filter(isFirst)).toEqual(due.filter(isFirst));
      }),
    );
  });

  it("are never overtaken by a retry that is due later, nor crowded by those due earlier", () => {
    fc.assert(
      fc.property(backlog, fc.string(), fc.nat(60), (due, salt, most) => {
        const order = ordered(due, salt);
        const taken = order.slice(0, most);
        const left = order.slice(most).filter((delivery) => !isRetry(delivery));
        const [next] = left;
        if (next === undefined) return;
        const retries = taken.filter(isRetry);
        for (const each of retries) expect(due.indexOf(each)).toBeLessThan(due.indexOf(next));
        expect(retries.length).toBeLessThanOrEqual(Math.ceil(0.3 * taken.length));
      }),
    );
  });

  it("take their turn with retries where there is no more of either", () => {
    expect(ordered([retry("r")], "x").map(({ id }) => id)).toEqual(["r"]);
    expect(ordered([first("f")], "x").map(({ id }) => id)).toEqual(["f"]);
  });
});
