import type { Ground } from "./ground/ground.ts";
import { mysql } from "./ground/mysql.ts";
import { postgres } from "./ground/postgres.ts";
import { sqlite } from "./ground/sqlite.ts";

export type StorageName = "sqlite" | "postgres" | "mysql";

export const grounds: Readonly<Record<StorageName, Ground>> = { sqlite, postgres, mysql };
