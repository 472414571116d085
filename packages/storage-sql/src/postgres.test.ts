import { storageContract, storageHistories } from "@posthorn/testing/contract";
import { afterAll, describe, it } from "vitest";
import { postgresServer } from "../../../test/servers.ts";
import { postgresHarness } from "../test/harness.ts";

describe("PostgreSQL keeps the storage contract", async () => {
  const harness = await postgresHarness(postgresServer());
  afterAll(harness.end, 120_000);
  for (const entry of storageContract) it(entry.name, (test) => entry.run(harness, test));
  it(storageHistories.name, () => storageHistories.run(harness), 60_000);
});
