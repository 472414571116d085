import { createConnection } from "mysql2/promise";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { freshDatabase, mariadbServer, postgresServer } from "./servers.ts";

const mariadb = mariadbServer();

describe("servers to test on", () => {
  it("there is always a PostgreSQL, and databases on it are new and can be dropped while in use", async () => {
    const { url, drop } = await freshDatabase(postgresServer());
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => {});
    await client.connect();
    const { rows } = await client.query("select current_database() as name");
    expect(url).toContain(rows[0].name);
    await drop();
    await expect(client.query("select 1")).rejects.toThrow();
    await expect(new pg.Client({ connectionString: url }).connect()).rejects.toThrow("not exist");
  });

  it.skipIf(mariadb === null)("databases on MariaDB are new and can be dropped", async () => {
    const { url, drop } = await freshDatabase(mariadb as string);
    const connection = await createConnection(url);
    await connection.query("create table host (id int)");
    await drop();
    await expect(connection.query("select * from host")).rejects.toThrow();
    await connection.end();
  });
});
