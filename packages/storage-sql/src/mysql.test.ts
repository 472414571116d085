import { storageContract, storageHistories } from "@posthorn/testing/contract";
import { afterAll, describe, it } from "vitest";
import { mariadbServer } from "../../../test/servers.ts";
import { mysqlHarness } from "../test/harness.ts";

const server = mariadbServer();

describe.skipIf(server === null)("MariaDB keeps the storage contract", async () => {
  if (server === null) return;
  const harness = await mysqlHarness(server);
  afterAll(harness.end, 120_000);
  for (const entry of storageContract) it(entry.name, (test) => entry.run(harness, test));
  it(storageHistories.name, () => storageHistories.run(harness), 60_000);
});
