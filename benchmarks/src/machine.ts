import { readFileSync } from "node:fs";
import { arch, availableParallelism, platform, totalmem } from "node:os";

/** What kind of machine it is, and which versions met on it; nothing that tells whose. */
export function machine(): readonly string[] {
  const memory = Math.round(totalmem() / 2 ** 30);
  const { dependencies } = JSON.parse(
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  ) as { readonly dependencies: { readonly [name: string]: string } };
  const versions = Object.keys(dependencies)
    .filter((name) => !name.startsWith("@posthorn/"))
    .map((name) => `${name} ${versionOf(name)}`);
  return [
    `${availableParallelism()} cores, ${memory} GB, ${platform()} ${arch()}; clients and servers on it together`,
    `Node ${process.versions.node}, SQLite ${process.versions["sqlite"] ?? "unknown"}`,
    versions.join(", "),
  ];
}

function versionOf(name: string): string {
  const path = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(path, "utf8")) as { readonly version: string }).version;
}
