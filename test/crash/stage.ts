import { join } from "node:path";
import type { Site } from "../ground/ground.ts";
import type { StorageName } from "../ground/grounds.ts";
import { firstLine, hearFrom, start } from "../processes/start.ts";
import { type Child, keepAlive } from "./child.ts";
import type { Fault } from "./evidence.ts";
import type { Bug, Part } from "./life.ts";
import type { Cut } from "./proxy.ts";

/** The processes of a run, and what was done to them. */
export interface Stage {
  readonly publisher: Child;
  readonly dispatchers: readonly Child[];
  /** How many were killed. */
  readonly kills: number;
  /** Cuts a connection of the child in this slot; null where there is no server. */
  readonly cut: ((cut: Cut) => void) | null;
  readonly slots: readonly string[];
  readonly faults: readonly Fault[];
  /** Writes down what was done, and from when to when: now, if nothing is said. */
  blame(kind: Fault["kind"], process: string | null, from?: number, to?: number): void;
  /** Ends every process, at once. */
  end(): void;
}

const SLOTS = ["publisher", "dispatcher-a", "dispatcher-b", "dispatcher-c"];

const at = (script: string): string => join(import.meta.dirname, script);

export async function setStage(options: {
  readonly storage: StorageName;
  readonly site: Site;
  readonly folder: string;
  readonly seed: number;
  readonly bug: Bug | null;
}): Promise<Stage> {
  const { storage, site, folder, seed, bug } = options;
  const faults: Fault[] = [];
  const children = new Map<string, Child>();
  let kills = 0;

  const blame: Stage["blame"] = (kind, process, from = Date.now(), to = Date.now()) =>
    void faults.push({ kind, process, from, to });

  const receiver = start(at("receiver.ts"), [folder], folder);
  const url = await firstLine(receiver);
  const proxy =
    storage === "sqlite" ? null : start(at("proxy.ts"), [site.database, ...SLOTS], folder);
  const urls: Partial<Record<string, string>> =
    proxy === null ? {} : JSON.parse(await firstLine(proxy));
  if (proxy !== null) hearFrom(proxy, (slot) => blame("cut", children.get(slot)?.name ?? null));

  for (const [index, slot] of SLOTS.entries()) {
    const child = keepAlive({
      slot,
      folder,
      script: at(index === 0 ? "publisher.ts" : "dispatcher.ts"),
      argument: (name, starts): Part => ({
        name,
        seed: seed + 1_000 * index + starts,
        storage,
        database: urls[slot] ?? site.database,
        receiver: url,
        folder,
        bug,
      }),
      onKilled: (name) => {
        kills += 1;
        blame("kill", name);
      },
    });
    children.set(slot, child);
  }
  const [publisher, ...dispatchers] = [...children.values()] as [Child, ...Child[]];
  return {
    publisher,
    dispatchers,
    get kills() {
      return kills;
    },
    cut: proxy === null ? null : (cut) => void proxy.stdin?.write(`${JSON.stringify(cut)}\n`),
    slots: SLOTS,
    faults,
    blame,
    end: () => {
      for (const child of children.values()) child.end();
      receiver.kill("SIGKILL");
      proxy?.kill("SIGKILL");
    },
  };
}
