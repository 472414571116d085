import { describe } from "vitest";
import { describePlans } from "../test/plans/plans.ts";
import { postgresProbe } from "../test/plans/postgres.ts";

describe("plans on PostgreSQL", () => {
  describePlans(postgresProbe);
});
