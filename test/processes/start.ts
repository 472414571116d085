import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Starts a script on Posthorn's sources; its standard error goes to a log in the folder. */
export function start(
  script: string,
  args: readonly string[],
  folder: string,
  flags: readonly string[] = [],
): ChildProcess {
  const log = openSync(join(folder, "children.log"), "a");
  const command = ["--conditions=@posthorn/source", ...flags, script, ...args];
  const child = spawn(process.execPath, command, { stdio: ["pipe", "pipe", log] });
  closeSync(log);
  child.stdin?.on("error", () => {});
  return child;
}

export function hearFrom(child: ChildProcess, listener: (line: string) => void): void {
  createInterface(child.stdout as NodeJS.ReadableStream).on("line", listener);
}

/** The first line that a script says; a script that ends before is a mistake. */
export const firstLine = (child: ChildProcess): Promise<string> =>
  Promise.race([
    new Promise<string>((resolve) => hearFrom(child, resolve)),
    once(child, "exit").then(() => {
      const script = child.spawnargs.find((each) => each.endsWith(".ts"));
      throw new Error(`${script} ended at once; its log says why.`);
    }),
  ]);
