import type { Delivery } from "@posthorn/core";
import { agree, demand } from "./judge.ts";
import { isWaiting, land, type Model, type Owed } from "./model.ts";

/**
 * Holds what a storage shows of a delivery against the model. What waits for a deleted
 * subscription may be canceled, at once or later: the model follows.
 */
export function follow({ now }: Model, owed: Owed, seen: Delivery): void {
  if (isWaiting(owed) && owed.lane.deleted && seen.status === "canceled") {
    demand(!!seen.reason, `Delivery ${seen.id} was canceled without a reason.`);
    land(owed, { status: "canceled", reason: seen.reason }, now);
  }
  agree(`delivery ${seen.id}`, seen, owed.delivery);
}
