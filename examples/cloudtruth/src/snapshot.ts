import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { FakeMessage } from "@posthorn/testing/slack";

/** What people see of a message, without what differs from one run to the next. */
export interface Snapshot {
  /** Absent if the message came without a name of its own. */
  readonly username?: string;
  readonly text: string;
  readonly blocks: readonly unknown[];
}

/** Ids and times become zeros of their length. */
export function snapshotOf({ username, text, blocks = [] }: FakeMessage): Snapshot {
  const withoutIds = blocks.map(({ block_id: _, ...block }) => block);
  return JSON.parse(
    JSON.stringify({ username, text, blocks: withoutIds })
      .replaceAll(/<!date\^\d+\^/g, "<!date^0^")
      .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/g, "0000-00-00 00:00 UTC")
      .replaceAll(/…[0-9a-f]{8}\b/g, "…00000000"),
  );
}

/** How a message differs from the snapshot of its event type; null if it does not. */
export async function differences(eventType: string, actual: Snapshot): Promise<string | null> {
  let expected: unknown;
  try {
    expected = JSON.parse(await readFile(fileOf(eventType), "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return `There is no snapshot ${eventType}.json. Write it with --update-snapshots.`;
  }
  try {
    assert.deepEqual(actual, expected);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

export async function writeSnapshot(eventType: string, snapshot: Snapshot): Promise<void> {
  await mkdir(new URL("./snapshots/", import.meta.url), { recursive: true });
  await writeFile(fileOf(eventType), `${JSON.stringify(snapshot, null, 2)}\n`);
}

const fileOf = (eventType: string): URL =>
  new URL(`./snapshots/${eventType}.json`, import.meta.url);
