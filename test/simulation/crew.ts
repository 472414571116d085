import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { Order, Played } from "./child.ts";

const crew = availableParallelism();
const compiled = mkdtempSync(join(tmpdir(), "posthorn-simulation-"));
process.once("exit", () => rmSync(compiled, { recursive: true, force: true }));

/** Plays seeds in as many processes as there are processors; answers them in their order. */
export async function playAll(
  seeds: readonly number[],
  { twice }: Pick<Order, "twice">,
): Promise<readonly Played[]> {
  const chunks = Array.from({ length: Math.ceil(seeds.length / CHUNK) }, (_, index) =>
    seeds.slice(index * CHUNK, (index + 1) * CHUNK),
  );
  const results: (readonly Played[])[] = [];
  const left = [...chunks.entries()];
  await Promise.all(
    Array.from({ length: Math.min(crew, chunks.length) }, async () => {
      const child = start();
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [index, chunk] = next;
        results[index] = await play(child, { seeds: chunk, twice, untilBroken: false });
      }
      child.disconnect();
    }),
  );
  return results.flat();
}

/** Plays seeds with a broken build, up to the first that finds it; answers what each variant came to. */
export async function playVariants(
  names: readonly string[],
  seedsOf: (name: string) => readonly number[],
  tell: (name: string, played: readonly Played[]) => void,
): Promise<void> {
  const left = [...names];
  await Promise.all(
    Array.from({ length: Math.min(crew, names.length) }, async () => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) {
        const child = start(name);
        const order = { seeds: seedsOf(name), twice: false, untilBroken: true };
        tell(name, await play(child, order));
        child.disconnect();
      }
    }),
  );
}

const CHUNK = 25;

const start = (variant = ""): ChildProcess =>
  fork(join(import.meta.dirname, "child.ts"), [variant], {
    execArgv: [
      "--conditions=@posthorn/source",
      "--disable-warning=ExperimentalWarning",
      // Nearly all that a seed makes is gone when it is over, and nobody reads its stacks.
      "--max-semi-space-size=64",
      "--stack-trace-limit=0",
    ],
    // What is loaded is compiled once, and not by each child. A broken file is another file.
    env: { ...process.env, NODE_COMPILE_CACHE: compiled },
    serialization: "advanced",
  });

function play(child: ChildProcess, order: Order): Promise<readonly Played[]> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      child.off("message", answer).off("exit", die);
    };
    const answer = (played: unknown): void => {
      end();
      resolve(played as readonly Played[]);
    };
    const die = (code: number | null): void => {
      end();
      const seeds = JSON.stringify(order.seeds);
      reject(
        new Error(`A process of the simulation ended (${code}) at one of the seeds ${seeds}.`),
      );
    };
    child.on("message", answer).on("exit", die);
    child.send(order);
  });
}
