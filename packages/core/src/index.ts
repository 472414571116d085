// Declare: the catalog, its patterns, the bus.
export {
  type Catalog,
  defineCatalog,
  type EventData,
  type EventInput,
  type EventName,
  type EventType,
  type FamilyVerb,
  family,
  type OperationalEventType,
  operationalEventTypes,
  reservedEventTypes,
} from "./catalog.ts";
export {
  type EventPattern,
  type MatchedName,
  matches,
  type Prefix,
  patternProblem,
} from "./pattern.ts";
export {
  createEventBus,
  type Deliveries,
  type DeliveryWithAttempts,
  type EventBus,
  type Events,
} from "./bus.ts";
export type { Drained } from "./dispatcher.ts";
export type { EventBusOptions } from "./options.ts";

// Publish and listen.
export type { EventOptions, EventToPublish, Publisher, PublishOptions } from "./publish.ts";
export {
  type Actor,
  type CatalogEvent,
  type Event,
  type Json,
  MAX_PAYLOAD_BYTES,
  type NewEvent,
  parseEvent,
  type StoredEvent,
  type Trace,
} from "./event.ts";
export type { EventListener, Listen } from "./listen.ts";
export type {
  DeliveryReport,
  GateReport,
  Lifecycle,
  LifecycleEvents,
  SubscriptionReport,
} from "./lifecycle.ts";

// Subscribe.
export type { WebhookDisabledData, WebhookFailingData } from "./operational-event.ts";
export {
  learned,
  MASK,
  type SubscribedPattern,
  type Subscription,
  type SubscriptionChanges,
  type SubscriptionInput,
  type SubscriptionWithSecret,
  type RotatedSubscription,
  type SubscriptionRecord,
  type SubscriptionStatus,
} from "./subscription.ts";
export type { Subscriptions, WriteOptions } from "./subscriptions.ts";
export type { Page, PageOptions } from "./page.ts";
export type { EncryptionKey } from "./secrets.ts";

// Deliver: the handler port.
export {
  type Batch,
  type BatchContext,
  type DeliverContext,
  type GeneratedSecret,
  type DeliverItem,
  defineHandler,
  delivered,
  failed,
  gone,
  type Handler,
  type HandlerSetup,
  type Outcome,
  type OutcomeType,
  rejected,
  type SecretKey,
  throttled,
  unknown,
  type Verification,
  type VerifyContext,
} from "./handler.ts";
export type { Health, HealthProblem } from "./health.ts";

// The rules, as storages are handed them and as tests use them.
export { planDeliveries, putOffMs } from "./plan.ts";
export { fullOrganizations, type InFlight, type Room, roomIn } from "./room.ts";
export { firstsBesideRetries, isRetry } from "./first-attempts.ts";
export { callsOf, inCalls, mayGoTogether } from "./batch.ts";
export { inTurns, shareOut, type Wish } from "./turns.ts";
export {
  type Abilities,
  type Admission,
  admit,
  canServe,
  isFree,
  type LaneDefinition,
  type LaneState,
} from "./lane.ts";
export {
  countsPasses,
  freshGate,
  type Gate,
  type GateDefinition,
  type GateState,
  isCalm,
  opensAt,
  type PassedGate,
  pass,
  passed,
  pause,
  type RateLimit,
  room,
  START_WITHIN_MS,
} from "./gate.ts";
export type { BreakerState, Open, Watching } from "./breaker.ts";
export {
  type Attempt,
  type Call,
  type Claim,
  type Delivery,
  type DeliveryStatus,
  type Flight,
  isSuspect,
  landed,
  lapse,
  MAX_LAPSES,
  type NewDelivery,
  type Next,
  SUSPECT_LAPSES,
} from "./delivery.ts";
export { type AutoDisable, type Failing, failedAgain, standardAutoDisable } from "./failing.ts";
export {
  afterLapse,
  type Decision,
  type Doubt,
  decide,
  FREE_THROTTLES,
  type RetryPolicy,
  standardRetry,
} from "./retry.ts";

export {
  DELIVERY_ORDERS,
  type DeliveryOrder,
  inOrder,
  isSerial,
  queueOf,
  type Ruling,
} from "./order.ts";

// The other ports.
export type {
  Appended,
  Apply,
  Backlog,
  CancelAllRequest,
  Candidate,
  ClaimRequest,
  ClaimResult,
  ClaimRules,
  FlightTerms,
  Heartbeat,
  HistoryReader,
  LapseState,
  PageOf,
  PageRequest,
  Plan,
  PlannedDelivery,
  RedeliverRequest,
  RedeliverResult,
  Reference,
  RouteInput,
  RoutePlan,
  RouteRequest,
  RouteResult,
  ReplayStore,
  SettleChange,
  Settlement,
  SettleResult,
  SettleState,
  Storage,
  SubscriptionFindings,
  SubscriptionStore,
  Unroutable,
  Unrouted,
} from "./storage.ts";
export { inProcessTransport, type Transport, type TransportListener } from "./transport.ts";
export { nodeSystem, type System, uuidv7 } from "./system.ts";
export type { Replay, ReplayStatus, ReplayStep } from "./replay.ts";
export type { Replays, ReplayOrder } from "./replays.ts";
export type { Logger } from "./logger.ts";
export { type StopSignal, stopOnSignals } from "./signals.ts";
export {
  type ErrorCode,
  type Issue,
  type IssueCode,
  isPosthornError,
  PosthornError,
} from "./errors.ts";
