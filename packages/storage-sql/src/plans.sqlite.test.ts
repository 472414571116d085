import { describe } from "vitest";
import { describePlans } from "../test/plans/plans.ts";
import { sqliteProbe } from "../test/plans/sqlite.ts";

describe("plans on SQLite", () => {
  describePlans(sqliteProbe);
});
