import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { callsOf, inCalls, mayGoTogether } from "./batch.ts";
import type { Claim, Delivery } from "./delivery.ts";
import { firstsBesideRetries } from "./first-attempts.ts";

type Due = Pick<Delivery, "id" | "attempts" | "throttles" | "lapses">;

const template: Due = { id: "d", attempts: 0, throttles: 0, lapses: 0 };
const kinds = {
  first: {},
  lapsed: { lapses: 1 },
  throttled: { throttles: 3 },
  tried: { attempts: 1 },
  suspect: { lapses: 2 },
} as const;

const backlogOf = (...of: readonly (keyof typeof kinds)[]): fc.Arbitrary<readonly Due[]> =>
  fc
    .array(fc.constantFrom(...of), { maxLength: 80 })
    .map((drawn) => drawn.map((kind, nr) => ({ ...template, id: `${nr}`, ...kinds[kind] })));
const any = backlogOf("first", "lapsed", "throttled", "tried", "suspect");
const sound = backlogOf("first", "lapsed", "throttled", "tried");
const fresh = backlogOf("first", "lapsed");
const joint = backlogOf("first", "lapsed", "throttled");
const calls = fc.nat(12);
const max = fc.integer({ min: 1, max: 20 });
const several = fc.integer({ min: 2, max: 20 });
const salt = fc.string();

const cut = (
  due: readonly Due[],
  given: { readonly calls: number; readonly max: number; readonly salt?: string },
): readonly (readonly Due[])[] => inCalls(due, { salt: "", ...given }, (delivery) => delivery);
/** Where several go together, only what was tried is a retry, and what was throttled comes first. */
const inLine = (due: readonly Due[], salt: string): readonly Due[] => {
  const line = due.toSorted((a, b) => Number(isHeldUp(b)) - Number(isHeldUp(a)));
  return firstsBesideRetries(line, ({ attempts }) => ({ attempts, throttles: 0 }), salt);
};
const isHeldUp = (delivery: Due): boolean => mayGoTogether(delivery) && delivery.throttles > 0;
const inOrder = (due: readonly Due[], salt: string): readonly Due[] =>
  firstsBesideRetries(due, (delivery) => delivery, salt);
const sizesOf = (made: readonly (readonly Due[])[]): readonly number[] =>
  made.map(({ length }) => length);
const some = (count: number): readonly Due[] =>
  Array.from({ length: count }, (_, nr) => ({ ...template, id: `${nr}` }));

describe("which deliveries go in which call", () => {
  it("is shown by examples", () => {
    expect(sizesOf(cut(some(3), { calls: 5, max: 20 }))).toEqual([1, 1, 1]);
    expect(sizesOf(cut(some(8), { calls: 5, max: 20 }))).toEqual([2, 2, 2, 1, 1]);
    expect(sizesOf(cut(some(90), { calls: 2, max: 20 }))).toEqual([20, 20]);
  });

  it("is one by one where no more is due than may go, in the order of the lane", () => {
    fc.assert(
      fc.property(any, several, salt, (due, max, salt) => {
        const one = inLine(due, salt).map((delivery) => [delivery]);
        expect(cut(due, { calls: due.length, max, salt })).toEqual(one);
      }),
    );
  });

  it("is one by one where a call takes one, however many are due", () => {
    fc.assert(
      fc.property(any, calls, salt, (due, calls, salt) => {
        const one = inOrder(due, salt).map((delivery) => [delivery]);
        expect(cut(due, { calls, max: 1, salt })).toEqual(one.slice(0, calls));
      }),
    );
  });

  it("uses every call that may go, and takes nothing twice", () => {
    fc.assert(
      fc.property(any, calls, max, salt, (due, calls, max, salt) => {
        const made = cut(due, { calls, max, salt });
        expect(made).toHaveLength(Math.min(calls, due.length));
        expect(new Set(made.flat()).size).toBe(made.flat().length);
        for (const size of sizesOf(made)) expect(size).toBeGreaterThan(0);
      }),
    );
  });

  it("fills calls evenly, up to the most, with the earliest", () => {
    fc.assert(
      fc.property(fresh, calls, max, (due, calls, max) => {
        const made = cut(due, { calls, max });
        const size = Math.min(max, Math.ceil(due.length / calls));
        for (const each of sizesOf(made)) expect([size, size - 1]).toContain(each);
        expect(made.flat()).toEqual(due.slice(0, calls * max));
      }),
    );
  });

  it("gives what was throttled its place back, before what has come since", () => {
    fc.assert(
      fc.property(joint, calls, several, salt, (due, calls, max, salt) => {
        const taken = cut(due, { calls, max, salt }).flat();
        const line = [...due.filter(isHeldUp), ...due.filter((each) => !isHeldUp(each))];
        expect(taken).toEqual(line.slice(0, taken.length));
      }),
    );
  });

  it("leaves what was tried, and suspects, in calls of their own", () => {
    fc.assert(
      fc.property(any, calls, max, salt, (due, calls, max, salt) => {
        for (const call of cut(due, { calls, max, salt })) {
          if (call.length > 1) expect(call.every(mayGoTogether)).toBe(true);
        }
      }),
    );
    const joint = Object.entries(kinds).filter(([, kind]) =>
      mayGoTogether({ ...template, ...kind }),
    );
    expect(joint.map(([name]) => name)).toEqual(["first", "lapsed", "throttled"]);
  });

  it("gives retries no more of the calls than they would have one by one", () => {
    fc.assert(
      fc.property(any, calls, max, salt, (due, calls, max, salt) => {
        const alone = (max === 1 ? inOrder : inLine)(due, salt).slice(0, calls);
        const opened = cut(due, { calls, max, salt }).map(([first]) => first as Due);
        const tried = (all: readonly Due[]): number =>
          all.filter((delivery) => !mayGoTogether(delivery)).length;
        expect(tried(opened)).toBe(tried(alone));
      }),
    );
  });

  it("takes at most 30 % retries while a first attempt is left", () => {
    fc.assert(
      fc.property(sound, calls, several, salt, (due, calls, max, salt) => {
        const taken = cut(due, { calls, max, salt }).flat();
        const isLeft = due.some((delivery) => mayGoTogether(delivery) && !taken.includes(delivery));
        if (!isLeft) return;
        const firsts = taken.filter(mayGoTogether).length;
        expect(taken.length - firsts).toBeLessThanOrEqual(Math.ceil(0.3 * taken.length));
      }),
    );
  });

  it("fills every call that can take more before it leaves anything that could go with it", () => {
    fc.assert(
      fc.property(any, calls, max, salt, (due, calls, max, salt) => {
        const made = cut(due, { calls, max, salt });
        const taken = made.flat();
        const isLeft = due.some((each) => mayGoTogether(each) && !taken.includes(each));
        const open = made.filter((call) => call.every(mayGoTogether));
        if (isLeft) for (const size of sizesOf(open)) expect(size).toBe(max);
      }),
    );
  });
});

describe("the calls of a claim's result", () => {
  const claim = (deliveryId: string, call: string | null): Claim =>
    ({ deliveryId, call }) as unknown as Claim;

  it("are those of one name, and each claim without one", () => {
    const claims = [claim("a", null), claim("b", "b"), claim("c", null), claim("d", "b")];
    const ids = callsOf(claims).map((call) => call.map(({ deliveryId }) => deliveryId));
    expect(ids).toEqual([["a"], ["b", "d"], ["c"]]);
  });
});
