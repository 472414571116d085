import { describe } from "vitest";
import { mariadbServer } from "../../../test/servers.ts";
import { CROWD } from "../test/plans/crowd.ts";
import { mysqlProbe } from "../test/plans/mysql.ts";
import { describePlans } from "../test/plans/plans.ts";

const server = mariadbServer();

describe.skipIf(server === null)("plans on MariaDB", () => {
  if (server === null) return;
  // It takes its time to fill tables.
  describePlans(() => mysqlProbe(server), { ...CROWD, ended: 200_000 });
});
