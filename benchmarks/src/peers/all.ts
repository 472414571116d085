import { bullmq } from "./bullmq.ts";
import { graphileWorker } from "./graphile-worker.ts";
import type { Peer } from "./peer.ts";
import { pgBoss, pgBossNotify } from "./pg-boss.ts";
import {
  posthornMemory,
  posthornPostgres,
  posthornSqliteFull,
  posthornSqliteNormal,
} from "./posthorn.ts";
import { rawPostgres } from "./raw-postgres.ts";
import { rawRecord } from "./raw-record.ts";
import { rawSqlite } from "./raw-sqlite.ts";

export const peers: readonly Peer[] = [
  rawPostgres,
  rawRecord,
  rawSqlite("NORMAL"),
  rawSqlite("FULL"),
  posthornPostgres,
  posthornSqliteNormal,
  posthornSqliteFull,
  posthornMemory,
  pgBoss,
  pgBossNotify,
  graphileWorker,
  bullmq,
];
