import { storageContract, storageHistories } from "@posthorn/testing/contract";
import { describe, it } from "vitest";
import { memoryStorage } from "./memory.ts";

describe("the memory storage keeps the storage contract", () => {
  const harness = { open: memoryStorage };
  for (const entry of storageContract) it(entry.name, (test) => entry.run(harness, test));
  it(storageHistories.name, () => storageHistories.run(harness), 60_000);
});
