import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupCommit } from "./group-commit.ts";

/** A write that ends when the test says so, and knows what it was given. */
function heldWrite() {
  const groups: (readonly string[])[] = [];
  const held: { end: () => void; fail: (error: Error) => void }[] = [];
  const write = (items: readonly string[]): Promise<readonly string[]> => {
    groups.push(items);
    return new Promise((resolve, reject) => {
      held.push({ end: () => resolve(items.map((item) => `${item}!`)), fail: reject });
    });
  };
  return {
    groups,
    write,
    end: () => held.shift()?.end(),
    fail: (e: Error) => held.shift()?.fail(e),
  };
}

/** Until every promise that can go on has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("what arrives while nothing is being written", () => {
  it("is written at once, before the caller goes on", () => {
    const { groups, write } = heldWrite();
    void groupCommit(write, { maxGroup: 10 })("a");
    expect(groups).toEqual([["a"]]);
  });

  it("is written alone", async () => {
    const { groups, write, end } = heldWrite();
    const commit = groupCommit(write, { maxGroup: 10 });
    for (const item of ["a", "b"]) {
      const committed = commit(item);
      end();
      await expect(committed).resolves.toBe(`${item}!`);
      await settled();
    }
    expect(groups).toEqual([["a"], ["b"]]);
  });
});

describe("what arrives while something is being written", () => {
  it("is written next, as one group, in the order in which it came", async () => {
    const { groups, write, end } = heldWrite();
    const commit = groupCommit(write, { maxGroup: 10 });
    const all = Promise.all(["a", "b", "c", "d"].map(commit));
    await settled();
    expect(groups).toEqual([["a"]]);
    end();
    await settled();
    expect(groups).toEqual([["a"], ["b", "c", "d"]]);
    end();
    await expect(all).resolves.toEqual(["a!", "b!", "c!", "d!"]);
  });

  it("is written next together with what those ask who are answered then", async () => {
    const { groups, write, end } = heldWrite();
    const commit = groupCommit(write, { maxGroup: 10 });
    const caller = async (name: string): Promise<void> => {
      for (const item of [`${name}1`, `${name}2`]) await commit(item);
    };
    const all = Promise.all(["a", "b", "c"].map(caller));
    for (let group = 0; group < 3; group += 1) {
      await settled();
      end();
    }
    await all;
    expect(groups).toEqual([["a1"], ["b1", "c1", "a2"], ["b2", "c2"]]);
  });

  it("is cut into groups that are not larger than allowed", async () => {
    const { groups, write, end } = heldWrite();
    const commit = groupCommit(write, { maxGroup: 2 });
    const all = Promise.all(["a", "b", "c", "d"].map(commit));
    for (let writes = 0; writes < 3; writes += 1) {
      end();
      await settled();
    }
    await all;
    expect(groups).toEqual([["a"], ["b", "c"], ["d"]]);
  });
});

describe("what is large enough to be written beside another group", () => {
  const beside = { weightOf: (item: string) => item.length, from: 4 };

  it("is, as soon as so much waits, and no third one with it", async () => {
    const { groups, write, end } = heldWrite();
    const commit = groupCommit(write, { maxGroup: 10, beside });
    const all = Promise.all(["a", "bb", "cc", "dddd", "e"].map(commit));
    expect(groups).toEqual([["a"], ["bb", "cc"]]);
    for (let writes = 0; writes < 3; writes += 1) {
      end();
      await settled();
    }
    await expect(all).resolves.toEqual(["a!", "bb!", "cc!", "dddd!", "e!"]);
    expect(groups).toEqual([["a"], ["bb", "cc"], ["dddd", "e"]]);
  });

  it("is not where little waits: it is written next, in the order in which it came", async () => {
    const { groups, write, end } = heldWrite();
    const commit = groupCommit(write, { maxGroup: 10, beside });
    const all = Promise.all(["aaaaaaaa", "b", "c"].map(commit));
    expect(groups).toEqual([["aaaaaaaa"]]);
    end();
    await settled();
    end();
    await all;
    expect(groups).toEqual([["aaaaaaaa"], ["b", "c"]]);
  });
});

describe("a group that fails", () => {
  const bad = new Error("bad");

  it("is tried again one by one, so that one bad item fails alone", async () => {
    const groups: (readonly string[])[] = [];
    const commit = groupCommit(
      async (items: readonly string[]) => {
        groups.push(items);
        await settled();
        if (items.includes("bad")) throw bad;
        return items;
      },
      { maxGroup: 10 },
    );
    const all = Promise.allSettled(["first", "a", "bad", "b"].map(commit));
    expect((await all).map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(groups).toEqual([["first"], ["a", "bad", "b"], ["a"], ["bad"], ["b"]]);
  });

  it("because the write throws at once is like any other", async () => {
    const commit = groupCommit(
      (items: readonly string[]) => {
        if (items.includes("bad")) throw bad;
        return Promise.resolve(items);
      },
      { maxGroup: 10 },
    );
    const results = await Promise.allSettled(["first", "bad", "a"].map(commit));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    await expect(commit("later")).resolves.toBe("later");
  });

  it("of one is not tried again, and does not stop what comes after", async () => {
    const { groups, write, end, fail } = heldWrite();
    const commit = groupCommit(write, { maxGroup: 10 });
    const failing = commit("a");
    const next = commit("b");
    fail(bad);
    await expect(failing).rejects.toBe(bad);
    await settled();
    end();
    await expect(next).resolves.toBe("b!");
    expect(groups).toEqual([["a"], ["b"]]);
  });
});

describe("however calls and writes interleave", () => {
  it("each promise settles with its own result, writes never overlap, and order is kept", async () => {
    const calls = fc.array(fc.record({ fails: fc.boolean(), pause: fc.nat(3) }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        calls,
        fc.integer({ min: 1, max: 5 }),
        async (s, calls, max) => {
          const first: number[] = [];
          let writing = 0;
          const commit = groupCommit(
            async (items: readonly number[]) => {
              writing += 1;
              expect(writing).toBe(1);
              expect(items.length).toBeLessThanOrEqual(max);
              first.push(...items.filter((item) => !first.includes(item)));
              const failed = items.some((item) => calls[item]?.fails);
              await s.schedule(Promise.resolve(), `write ${items.join()}`);
              writing -= 1;
              if (failed) throw new Error(`failed: ${items.join()}`);
              return items.map((item) => item * 2);
            },
            { maxGroup: max },
          );
          const results: Promise<unknown>[] = [];
          const callers = s.scheduleSequence(
            calls.map(({ pause }, index) => ({
              label: `call ${index}`,
              builder: async () => {
                for (let tick = 0; tick < pause; tick += 1) await undefined;
                results.push(
                  commit(index).then(
                    (result) => ({ result }),
                    (error: Error) => ({ error: error.message }),
                  ),
                );
              },
            })),
          );
          await s.waitIdle();
          await callers.task;
          expect(await Promise.all(results)).toEqual(
            calls.map(({ fails }, index) =>
              fails ? { error: `failed: ${index}` } : { result: index * 2 },
            ),
          );
          expect(first).toEqual(calls.map((_, index) => index));
        },
      ),
      { numRuns: 60 },
    );
  });
});
