import { admit, type ClaimRequest, type ClaimResult, canServe } from "@posthorn/core";
import { demand } from "./judge.ts";
import { dueAtOf, gatesOf, type Lane, type Model, soundIn, suspectsIn } from "./model.ts";
import { isOpen, servedBy } from "./turn.ts";

/** Does a claim say early enough when to come again, and tell of suspects? */
export function judgeProspect(
  model: Model,
  request: ClaimRequest,
  { nextDueAt, suspects }: ClaimResult,
): void {
  const { now } = model;
  const lanes = [...model.lanes.values()].filter(
    (lane) => !lane.parked && canServe(servedBy(lane), request),
  );
  const instants = [
    ...lanes.flatMap((lane) => goesAt(model, lane)),
    ...[...model.owed.values()].flatMap(({ flight }) => (flight ? [flight.leaseUntil + 1] : [])),
  ];
  const earliest = Math.max(now, Math.min(...instants));
  demand(
    instants.length === 0 || (nextDueAt !== null && nextDueAt <= earliest),
    `nextDueAt is ${nextDueAt}, but a claim finds something at ${earliest}.`,
  );

  const suspected = lanes.flatMap((lane) =>
    suspectsIn(model, lane).filter((owed) => dueAtOf(owed) <= now),
  );
  const mayGo = suspected.some(({ lane, restsUntil }) => isOpen(model, lane, restsUntil));
  demand(suspects || !mayGo, "A suspect is due and may go, but the claim tells of none.");
  demand(!suspects || suspected.length > 0, "The claim tells of suspects, but none is due.");
}

/** When the first of what waits in a lane may go, and each of its suspects. */
function goesAt(model: Model, lane: Lane): readonly number[] {
  const { againAt } = admit(gatesOf(model, lane), model.now, 0);
  return [
    ...soundIn(model, lane)
      .slice(0, 1)
      .map((owed) => Math.max(dueAtOf(owed), againAt, lane.restsUntil)),
    ...suspectsIn(model, lane).map((owed) => Math.max(dueAtOf(owed), againAt, owed.restsUntil)),
  ];
}
