import {
  admit,
  type Call,
  type Claim,
  type ClaimRequest,
  callsOf,
  mayGoTogether,
} from "@posthorn/core";
import { agree, demand } from "./judge.ts";
import { gatesOf, type Model } from "./model.ts";
import { type Ask, isFirst, type Turn } from "./turn.ts";

interface Taken {
  readonly turns: readonly Turn[];
  readonly claims: readonly Claim[];
  readonly asks: readonly Ask[];
}

/** Do claims go together that may, no more than may, and only where they cannot all go alone? */
export function judgeCalls(
  model: Model,
  request: ClaimRequest,
  { turns, claims, asks }: Taken,
): void {
  const calls = callsOf(claims);
  agree("claims, those of each call together", claims, calls.flat());
  const isCut = calls.length === request.slots || asks.some(({ count, wanted }) => count < wanted);
  for (const turn of turns) {
    const { id } = turn.lane.record;
    const own = calls.filter(([{ subscriptionId }]) => subscriptionId === id);
    demand(own.length <= request.perLane, `${own.length} calls of the lane ${id}.`);
    judgeSizes(turn, own, request.perCall?.get(turn.lane.record.type) ?? 1);
    const mayAllGoAlone =
      !isCut &&
      own.length < request.perLane &&
      !turns.some(({ lane }) => lane.turnFrom <= model.now) &&
      admit(gatesOf(model, turn.lane), model.now, 1).count === 1;
    demand(
      !mayAllGoAlone || own.every(({ length }) => length === 1),
      `Deliveries of the lane ${id} go together, though each could have gone alone.`,
    );
  }
}

/** Calls are filled evenly, and up to the most before a first attempt is left out. */
function judgeSizes({ lane, due, taken }: Turn, calls: readonly Call[], most: number): void {
  const { id } = lane.record;
  const open = calls.filter((call) => call.every(({ delivery }) => mayGoTogether(delivery)));
  demand(
    calls.every((call) => call.length === 1 || open.includes(call)),
    `A delivery of the lane ${id} that was tried goes together with others.`,
  );
  const sizes = open.map(({ length }) => length);
  const [least, largest] = [Math.min(...sizes), Math.max(...sizes)];
  demand(sizes.length === 0 || largest <= most, `A call of the lane ${id} takes ${largest}.`);
  demand(sizes.length === 0 || largest - least <= 1, `Calls of the lane ${id} take ${sizes}.`);
  const isLeft = [...due.keys()].some((owed) => isFirst(owed) && !taken.includes(owed));
  demand(!isLeft || sizes.length === 0 || least === most, `Calls of the lane ${id} are not full.`);
}
