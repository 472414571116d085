import type { Transport } from "@posthorn/core";
import { transportContract } from "@posthorn/testing/contract";
import pg from "pg";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type FreshDatabase, freshDatabase, postgresServer } from "../../../test/servers.ts";
import { postgresTransport } from "./transport.ts";

describe("two processes on one PostgreSQL keep the transport contract", () => {
  let database: FreshDatabase;
  beforeAll(async () => {
    database = await freshDatabase(postgresServer());
  });
  afterAll(() => database.drop());

  let media = 0;
  const join = (): Transport =>
    postgresTransport({
      createClient: () => new pg.Client(database.url),
      channel: `medium_${media}`,
    });
  const open = (): Transport => {
    media += 1;
    return join();
  };
  for (const entry of transportContract) {
    it(entry.name, (test) => entry.run({ open, join }, test));
  }
});
