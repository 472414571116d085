import type { Workload } from "../workload.ts";
import { backlog } from "./backlog.ts";
import { fanOut } from "./fan-out.ts";
import { hostTransaction } from "./host-transaction.ts";
import { http } from "./http.ts";
import { latency } from "./latency.ts";
import { listeners } from "./listeners.ts";
import { matching } from "./matching.ts";
import { processing } from "./process.ts";
import { publish, publishMany } from "./publish.ts";
import { size } from "./size.ts";

export const workloads: readonly Workload[] = [
  publish,
  publishMany,
  hostTransaction,
  processing,
  fanOut,
  matching,
  http,
  latency,
  backlog,
  listeners,
  size,
];
