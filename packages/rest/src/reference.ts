import { Problem } from "./problems.ts";
import type { Call } from "./routes.ts";

/** What a request names, in the organization of its caller. */
export interface Reference {
  readonly organization: string;
  readonly id: string;
}

/** Ids are UUIDs in lower case; nothing else names anything, or reaches a storage. */
export const isId = (id: string): boolean =>
  /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(id);

/** @throws Problem `not_found` for what cannot be an id */
export function referenceOf(
  call: Call,
  parameter: "id" | "delivery_id" | "replay_id" = "id",
): Reference {
  const id = call.params[parameter] ?? "";
  if (!isId(id)) throw new Problem("not_found");
  return { organization: call.organization, id };
}
