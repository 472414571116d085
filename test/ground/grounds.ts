import type { Ground } from "./ground.ts";
import { mysql } from "./mysql.ts";
import { postgres } from "./postgres.ts";
import { sqlite } from "./sqlite.ts";

export type StorageName = "sqlite" | "postgres" | "mysql";

export const grounds: Readonly<Record<StorageName, Ground>> = { sqlite, postgres, mysql };
