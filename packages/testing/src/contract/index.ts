export type { ContractCase, Skippable } from "./case.ts";
export { storageContract } from "./storage.ts";
export { type HistoryOptions, storageHistories } from "./storage/histories.ts";
export type { HostTransaction, StorageCase, StorageHarness } from "./storage/stage.ts";
export {
  type Destination,
  type HandlerCase,
  type HandlerHarness,
  handlerContract,
} from "./handler.ts";
export { type TransportCase, type TransportHarness, transportContract } from "./transport.ts";
