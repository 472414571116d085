import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A file of JSON, one value in each line; a last line that was cut off is not one. */
export function read<Value>(folder: string, name: string): readonly Value[] {
  const path = join(folder, name);
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}
