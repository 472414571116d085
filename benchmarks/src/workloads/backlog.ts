import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Contestant, Target, Workload } from "../workload.ts";

export const backlog: Workload = {
  name: "backlog",
  about:
    "claims with 10,000 and 1,000,000 waiting, in one lane and in 5,000; memory of the process",
  contests: (ground, size) => {
    const most = size.of(1_000_000, 2_000);
    const few = size.of(10_000, 500);
    const manyLanes = size.of(5_000, 50);
    const contestant = (waiting: number, lanes: number): Contestant => ({
      name: nameOf(waiting, lanes),
      run: async () => {
        const place = await ground.place("postgres");
        const order = { at: place.at, waiting, lanes, claimed: size.of(5_000, 300) };
        const child = fork(join(import.meta.dirname, "../processes/backlog.ts"), [
          JSON.stringify(order),
        ]);
        const exit = once(child, "exit");
        const failed = exit.then(() => {
          throw new Error("The process that claims ended too early.");
        });
        await Promise.race([once(child, "message"), failed]);
        await place.rest();
        child.send("go");
        const [figures] = (await Promise.race([once(child, "message"), failed])) as [number[]];
        failed.catch(() => {});
        await exit;
        await place.remove();
        return figures;
      },
    });
    return [
      {
        title: "claims against a backlog, PostgreSQL",
        columns: ["ms a claim (p50)", "jobs/s", "MB at most"],
        better: "less",
        baseline: nameOf(few, 1),
        rounds: size.of(2, 1),
        rows: [few, most].flatMap((waiting) => [
          contestant(waiting, 1),
          contestant(waiting, manyLanes),
        ]),
        targets: [
          ...[1, manyLanes].map(
            (lanes): Target => ({
              says: `${nameOf(most, lanes)}: a claim ≤ 1.5 × with ${few.toLocaleString("en-US")}`,
              value: (of) => of(nameOf(most, lanes)) / of(nameOf(few, lanes)),
              atMost: 1.5,
            }),
          ),
          ...[1, manyLanes].map(
            (lanes): Target => ({
              says: `${nameOf(most, lanes)}: the process ≤ 150 MB`,
              value: (of) => of(nameOf(most, lanes), 2),
              atMost: 150,
            }),
          ),
        ],
      },
    ];
  },
};

const nameOf = (waiting: number, lanes: number): string =>
  `${waiting.toLocaleString("en-US")} waiting in ${lanes === 1 ? "one lane" : `${lanes.toLocaleString("en-US")} lanes`}`;
