import { createHash } from "node:crypto";
import { Problem } from "./problems.ts";
import { isId } from "./reference.ts";

/** Where in a list a page begins: `after` an id is older, `before` it is newer. */
export type Position = { readonly after: string } | { readonly before: string };

/** The list that a cursor belongs to: organization, path and filters. */
export type ListScope = readonly (string | null)[];

const VERSION = "1";
const DIGEST_BYTES = 9;

/**
 * A position as an opaque text. Its digest binds it to one list, so that a cursor that was taken
 * elsewhere or damaged is noticed; it keeps no secret, and guards none: every list is read in the
 * name of an organization anyway.
 */
export function encodeCursor(position: Position, scope: ListScope): string {
  const [direction, id] =
    "after" in position ? ["after", position.after] : ["before", position.before];
  const digest = createHash("sha256")
    .update(JSON.stringify([VERSION, direction, id, ...scope]))
    .digest()
    .subarray(0, DIGEST_BYTES)
    .toString("base64url");
  return Buffer.from([VERSION, direction, id, digest].join(" ")).toString("base64url");
}

/** @throws Problem `invalid_cursor` for anything that {@link encodeCursor} did not make for this list. */
export function decodeCursor(cursor: string, scope: ListScope): Position {
  const [, direction, id = ""] = Buffer.from(cursor, "base64url").toString("latin1").split(" ");
  const position = direction === "after" ? { after: id } : { before: id };
  if (!isId(id) || encodeCursor(position, scope) !== cursor) throw new Problem("invalid_cursor");
  return position;
}
