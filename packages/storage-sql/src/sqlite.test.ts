import { storageContract, storageHistories } from "@posthorn/testing/contract";
import { afterAll, describe, it } from "vitest";
import { sqliteHarness } from "../test/harness.ts";

describe.each(["node:sqlite", "better-sqlite3"] as const)(
  "%s keeps the storage contract",
  (driver) => {
    const harness = sqliteHarness(driver);
    afterAll(harness.end, 120_000);
    for (const entry of storageContract) it(entry.name, (test) => entry.run(harness, test));
    it(storageHistories.name, () => storageHistories.run(harness), 60_000);
  },
);
