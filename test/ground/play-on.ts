import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Site } from "./ground.ts";
import { grounds, type StorageName } from "./grounds.ts";

export type Result = "passed" | "failed" | "left out";

/** What a play needs. */
export interface Place {
  readonly site: Site;
  /** For logs and evidence: removed after a play that passed, unless it is to be kept. */
  readonly folder: string;
}

/** Plays on an empty database of its own, if there is one here, and removes it afterwards. */
export async function playOn(
  storage: StorageName,
  options: { readonly name: string; readonly keep: boolean },
  play: (place: Place) => Promise<"passed" | "failed">,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), `posthorn-${options.name}-${storage}-`));
  const site = await grounds[storage].prepare(folder);
  if (typeof site === "string") {
    rmSync(folder, { recursive: true });
    process.stdout.write(`Left out: ${storage} (${site}).\n`);
    return process.env["POSTHORN_TEST_REQUIRE"] === undefined ? "left out" : "failed";
  }
  const abandon = (): void => void site.remove();
  process.once("exit", abandon);
  try {
    const result = await play({ site, folder });
    if (result === "passed" && !options.keep) rmSync(folder, { recursive: true });
    return result;
  } finally {
    process.off("exit", abandon);
    await site.remove();
  }
}
