import { sqliteStorage } from "../src/sqlite.ts";
import { anEventNamed } from "./events.ts";

/** Another process on the same file: appends as many events as it is told, one at a time. */
const [file = "", name = "", count = "0"] = process.argv.slice(2);
const storage = sqliteStorage({ file, synchronous: "normal" });
for (let index = 0; index < Number(count); index += 1) {
  await storage.append([anEventNamed(`${name}-${index}`)]);
}
await storage.close();
