export type { ContractCase, Skippable } from "./case.ts";
export { storageContract } from "./storage.ts";
export type { HostTransaction, StorageCase, StorageHarness } from "./storage/stage.ts";
