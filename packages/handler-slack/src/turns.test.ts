import { expect, it } from "vitest";
import { createTurns } from "./turns.ts";

const unhurried = new AbortController().signal;

it("runs one after the other what has the same key, and nothing else", async () => {
  const inTurn = createTurns();
  const said: string[] = [];
  const gates = new Map(["a1", "a2", "b1"].map((name) => [name, Promise.withResolvers<void>()]));
  const run = (key: string, name: string): Promise<void> =>
    inTurn(key, unhurried, async () => {
      said.push(`${name} begins`);
      await gates.get(name)?.promise;
      said.push(`${name} ends`);
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
  const second = inTurn("a", unhurried, async () => 2);
  await expect(first).rejects.toThrow("broken");
  expect(await second).toBe(2);
});

it("lets one that is called off go before its turn, and the next still waits for the first", async () => {
  const inTurn = createTurns();
  const said: string[] = [];
  const first = Promise.withResolvers<void>();
  const callOff = new AbortController();
  const all = [
    inTurn("a", unhurried, () => first.promise),
    inTurn("a", callOff.signal, async () => void said.push("second")),
    inTurn("a", unhurried, async () => void said.push("third")),
  ];
  callOff.abort();
  await all[1];
  expect(said).toEqual(["second"]);
  first.resolve();
  await Promise.all(all);
  expect(said).toEqual(["second", "third"]);
});
