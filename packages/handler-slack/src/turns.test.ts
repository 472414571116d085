import { delivered, type Outcome, throttled } from "@posthorn/core";
import { expect, it } from "vitest";
import { createTurns } from "./turns.ts";

const unhurried = new AbortController().signal;

it("runs one after the other what has the same key, and nothing else", async () => {
  const inTurn = createTurns();
  const said: string[] = [];
  const gates = new Map(["a1", "a2", "b1"].map((name) => [name, Promise.withResolvers<void>()]));
  const run = (key: string, name: string): Promise<Outcome> =>
    inTurn(key, unhurried, async () => {
      said.push(`${name} begins`);
      await gates.get(name)?.promise;
      said.push(`${name} ends`);
      return delivered();
    });
  const all = [run("a", "a1"), run("a", "a2"), run("b", "b1")];
  gates.get("a2")?.resolve();
  gates.get("b1")?.resolve();
  await all[2];
  expect(said).toEqual(["a1 begins", "b1 begins", "b1 ends"]);
  gates.get("a1")?.resolve();
  await Promise.all(all);
  expect(said.slice(3)).toEqual(["a1 ends", "a2 begins", "a2 ends"]);
});

it("goes on after one that throws", async () => {
  const inTurn = createTurns();
  const first = inTurn("a", unhurried, async () => {
    throw new Error("broken");
  });
  const second = inTurn("a", unhurried, async () => delivered());
  await expect(first).rejects.toThrow("broken");
  expect(await second).toEqual(delivered());
});

it("lets one that is called off go before its turn, and the next still waits for the first", async () => {
  const inTurn = createTurns();
  const said: string[] = [];
  const first = Promise.withResolvers<Outcome>();
  const callOff = new AbortController();
  const say = (name: string) => async (): Promise<Outcome> => {
    said.push(name);
    return delivered();
  };
  const all = [
    inTurn("a", unhurried, () => first.promise),
    inTurn("a", callOff.signal, say("second")),
    inTurn("a", unhurried, say("third")),
  ];
  callOff.abort();
  await all[1];
  expect(said).toEqual(["second"]);
  first.resolve(delivered());
  await Promise.all(all);
  expect(said).toEqual(["second", "third"]);
});

it("has those wait that are behind one that was asked to, and asks again for those that come later", async () => {
  const inTurn = createTurns();
  const asked: string[] = [];
  const ask = (name: string, outcome: Outcome): Promise<Outcome> =>
    inTurn("a", unhurried, async () => {
      asked.push(name);
      return outcome;
    });
  const refused = throttled({ reason: "slow down", retryAfterMs: 2_000, gate: "workspace" });
  const outcomes = await Promise.all([
    ask("first", delivered()),
    ask("second", refused),
    ask("third", delivered()),
    ask("fourth", delivered()),
  ]);
  expect(asked).toEqual(["first", "second"]);
  for (const outcome of outcomes.slice(2)) {
    expect(outcome).toMatchObject({ type: "throttled", retryAfterMs: 2_000, gate: "workspace" });
  }
  await ask("later", delivered());
  expect(asked).toEqual(["first", "second", "later"]);
});
