import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { dueQueue, type Entry } from "./due-queue.ts";

describe("a due queue", () => {
  it("keeps its order through thousands of additions and removals", () => {
    const queue = dueQueue<number>();
    const kept: Entry<number>[] = [];
    let seed = 1;
    const draw = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let step = 0; step < 20_000; step += 1) {
      const isAddition = kept.length === 0 || draw(100) < (step < 12_000 ? 70 : 20);
      if (isAddition) kept.push(queue.add(step, draw(500)));
      else queue.remove(kept.splice(draw(kept.length), 1)[0]);
      assert.equal(queue.size, kept.length);
    }
    kept.sort((a, b) => a.at - b.at || a.order - b.order);
    assert.deepEqual([...queue], kept);
    assert.equal(queue.first(), kept[0]);
    for (const entry of kept) queue.remove(entry);
    assert.deepEqual([queue.size, queue.first(), [...queue]], [0, undefined, []]);
  });

  it("removes an entry once, and nothing for no entry", () => {
    const queue = dueQueue<string>();
    const [first] = [queue.add("a", 1), queue.add("b", 1)];
    queue.remove(first);
    queue.remove(first);
    queue.remove(undefined);
    assert.deepEqual(
      [...queue].map(({ item }) => item),
      ["b"],
    );
  });
});
