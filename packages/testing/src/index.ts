export { createTestBus, type TestBus, type TestBusOptions } from "./bus.ts";
export { type VirtualSystem, type VirtualSystemOptions, virtualSystem } from "./system.ts";
export { type TransactionalStorage, transactional } from "./transaction.ts";
export {
  createReceiver,
  type ReceivedRequest,
  type Receiver,
  type ReceiverOptions,
  type ReceiverReplies,
  type ReceiverReply,
} from "./receiver.ts";
