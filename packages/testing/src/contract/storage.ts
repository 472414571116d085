import { appendCases } from "./storage/append.ts";
import { batchCases } from "./storage/batch.ts";
import { breakerCases } from "./storage/breaker.ts";
import { claimCases } from "./storage/claim.ts";
import { failingCases } from "./storage/failing.ts";
import { fairnessCases } from "./storage/fairness.ts";
import { healthCases } from "./storage/health.ts";
import { historyCases } from "./storage/history.ts";
import { housekeepingCases } from "./storage/housekeeping.ts";
import { operationalCases } from "./storage/operational.ts";
import { operatorCases } from "./storage/operator.ts";
import { orderCases } from "./storage/order.ts";
import { releaseCases } from "./storage/release.ts";
import { replayCases } from "./storage/replays.ts";
import { routeCases } from "./storage/route.ts";
import { settleCases } from "./storage/settle.ts";
import type { StorageCase } from "./storage/stage.ts";
import { subscriptionCases } from "./storage/subscriptions.ts";

/**
 * The laws of the storage port, each as a case.
 *
 * ```ts
 * const harness = { open: () => memoryStorage() };
 * for (const entry of storageContract) it(entry.name, (test) => entry.run(harness, test));
 * ```
 */
export const storageContract: readonly StorageCase[] = [
  ...appendCases,
  ...routeCases,
  ...claimCases,
  ...batchCases,
  ...fairnessCases,
  ...breakerCases,
  ...settleCases,
  ...failingCases,
  ...operationalCases,
  ...releaseCases,
  ...orderCases,
  ...subscriptionCases,
  ...historyCases,
  ...operatorCases,
  ...replayCases,
  ...housekeepingCases,
  ...healthCases,
];
