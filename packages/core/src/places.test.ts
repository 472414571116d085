import { describe, expect, it } from "vitest";
import { createPlaces } from "./places.ts";

/** Places on a clock that the test turns. */
function setup(concurrency: number) {
  let now = 1_000_000;
  const places = createPlaces({
    concurrency,
    clock: { now: () => now },
    system: { mono: () => now },
  });
  const take = (count: number): void => {
    for (let call = 0; call < count; call += 1) places.take();
  };
  const leave = (count: number): void => {
    for (let call = 0; call < count; call += 1) places.leave();
  };
  const pass = (ms: number): void => {
    now += ms;
  };
  /** One call ends each millisecond, and each is followed by another. */
  const flow = (ms: number): void => {
    for (let each = 0; each < ms; each += 1) {
      pass(1);
      leave(1);
      take(1);
    }
  };
  return { places, take, leave, pass, flow, now: () => now };
}

describe("the places of calls", () => {
  it("are as many as may be under way, as long as none has ended", () => {
    const { places, take, pass } = setup(50);
    expect(places.free()).toBe(50);
    take(50);
    pass(60_000);
    places.beginTurn();
    expect(places.free()).toBe(0);
  });

  it("are more by as many as end in 20 ms", () => {
    const { places, take, flow, pass } = setup(50);
    take(50);
    flow(40);
    places.beginTurn();
    pass(2);
    expect(places.free()).toBe(20);
  });

  it("are at most twice as many as may be under way, however fast they end", () => {
    const { places, take, leave, pass } = setup(10);
    for (let call = 0; call < 1_000; call += 1) {
      take(1);
      leave(1);
    }
    pass(20);
    places.beginTurn();
    expect(places.free()).toBe(20);
  });

  it("are fewer again once calls end slowly", () => {
    const { places, take, flow, pass } = setup(50);
    take(50);
    flow(40);
    places.beginTurn();
    pass(60_000);
    places.beginTurn();
    expect(places.free()).toBe(0);
  });

  it("are held back while few are free, for 2 ms", () => {
    const { places, take, leave, pass, now } = setup(50);
    take(50);
    places.beginTurn();
    leave(6);
    expect([places.free(), places.unused]).toEqual([0, 6]);
    expect(places.worthALookAt()).toBe(now() + 2);
    pass(2);
    expect(places.free()).toBe(6);
  });

  it("are worth a look at once when an eighth of them is free, or nothing is under way", () => {
    const eighth = setup(50);
    eighth.take(50);
    eighth.places.beginTurn();
    eighth.leave(7);
    expect(eighth.places.worthALookAt()).toBe(0);
    expect(eighth.places.free()).toBe(7);

    const nothing = setup(50);
    nothing.take(1);
    nothing.leave(1);
    expect(nothing.places.worthALookAt()).toBe(0);
    expect(nothing.places.free()).toBe(50);
  });

  it("are worth a look in 2 ms, however long ago one was claimed last", () => {
    const { places, take, leave, pass, now } = setup(50);
    take(50);
    places.beginTurn();
    pass(30_000);
    leave(1);
    expect(places.worthALookAt()).toBe(now() + 2);
    pass(1);
    leave(1);
    expect(places.worthALookAt()).toBe(now() + 1);
  });

  it("are still once nothing was claimed and nothing has ended for 50 ms", () => {
    const { places, take, leave, pass } = setup(50);
    expect(places.isStill).toBe(true);
    take(1);
    pass(49);
    expect(places.isStill).toBe(false);
    leave(1);
    pass(49);
    expect(places.isStill).toBe(false);
    pass(1);
    expect(places.isStill).toBe(true);
  });

  it("tell when the next call has ended, and only the next one", async () => {
    const { places, take, leave } = setup(2);
    take(2);
    const seen: string[] = [];
    void places.left().then(() => seen.push("first"));
    await null;
    expect(seen).toEqual([]);
    leave(1);
    await null;
    expect(seen).toEqual(["first"]);
    leave(1);
    await null;
    expect(seen).toEqual(["first"]);
    expect([places.taken, places.ended]).toEqual([0, 2]);
  });
});
