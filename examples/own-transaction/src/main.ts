import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sqliteStorage } from "@posthorn/storage-sql/sqlite";
import { createBus } from "./bus.ts";
import { createProject } from "./libraries/node-sqlite.ts";

const folder = mkdtempSync(join(tmpdir(), "own-transaction-"));
const file = join(folder, "app.db");

const database = new DatabaseSync(file);
database.exec("create table projects (name text primary key)");

const storage = sqliteStorage({ file });
await storage.migrate();
const bus = await createBus(storage, console.log);

// #region publish
createProject(database, bus, "web");
await bus.drain();

try {
  createProject(database, bus, "web");
} catch (error) {
  console.log((error as Error).message);
}
await bus.drain();

const { items } = await bus.events.list({ organization: "acme" });
console.log(`events: ${items.length}`);
// #endregion publish

// #region end
await bus.stop();
await storage.close();
database.close();
// #endregion end
rmSync(folder, { recursive: true });

// Output:
// project_created: {"name":"web"}
// UNIQUE constraint failed: projects.name
// events: 1
