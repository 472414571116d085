import { DatabaseSync } from "node:sqlite";
import { defineCatalog, family } from "@posthorn/core";
import { createTestBus } from "@posthorn/testing";
import { object, string } from "valibot";

const catalog = defineCatalog({
  ...family("project", { schema: object({ name: string() }) }),
});

const bus = createTestBus({ catalog, handlers: [] });
bus.on("project_*", ({ type, data }) => console.log(`${type}: ${data.name}`));

const database = new DatabaseSync(":memory:");
database.exec("CREATE TABLE project (name TEXT PRIMARY KEY)");
const insert = database.prepare("INSERT INTO project (name) VALUES (?)");

// #region create
async function createProject(name: string): Promise<void> {
  await inTransaction(async (tx) => {
    await bus.publish("project_created", { name }, { organization: "acme", tx });
    insert.run(name);
  });
}
// #endregion create

// #region transaction
async function inTransaction(work: (tx: object) => Promise<void>): Promise<void> {
  const tx = {};
  database.exec("BEGIN IMMEDIATE");
  try {
    await work(tx);
  } catch (error) {
    database.exec("ROLLBACK");
    bus.rollback(tx);
    throw error;
  }
  database.exec("COMMIT");
  await bus.commit(tx);
}
// #endregion transaction

await createProject("web");
await bus.drain();

await createProject("web").catch((error: Error) => console.log(error.message));
await bus.drain();

const { items } = await bus.events.list({ organization: "acme" });
console.log(`events: ${items.length}`);
await bus.stop();
database.close();

// Output:
// project_created: web
// UNIQUE constraint failed: project.name
// events: 1
