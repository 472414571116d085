import { readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Variant } from "./variants.ts";

export const root: string = join(import.meta.dirname, "../..");

/** The source with one rule broken. @throws Error if the place is not there, or there twice. */
export function broken(variant: Variant): string {
  const source = readFileSync(join(root, variant.file), "utf8");
  const parts = source.split(variant.find);
  if (parts.length !== 2) {
    throw new Error(
      `Variant "${variant.name}": its place is ${parts.length - 1} times in ${variant.file}, not once.`,
    );
  }
  return parts.join(variant.replace);
}

/** From now on, who imports the file gets the broken one. */
export function breakRule(variant: Variant): void {
  const place = pathToFileURL(join(root, variant.file)).href;
  const source = stripTypeScriptTypes(broken(variant));
  registerHooks({
    load: (url, context, next) =>
      url === place ? { format: "module", shortCircuit: true, source } : next(url, context),
  });
}
