import { writeSync } from "node:fs";
import { createInterface } from "node:readline";

/** Tells the parent, at once and for sure: writing to a pipe waits. */
export function announce(line: string): void {
  writeSync(1, `${line}\n`);
}

/** Hears what the parent says, line by line; ends with it. */
export function hear(listener: (line: string) => void): void {
  createInterface(process.stdin)
    .on("line", listener)
    .on("close", () => process.exit());
}
