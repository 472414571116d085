import { type Call, type Claim, type Delivery, isSuspect } from "./delivery.ts";
import { firstsBesideRetries } from "./first-attempts.ts";

/**
 * May it go in one call with others? What was tried, or may kill its process, goes alone: so what
 * spoils a call for many spoils only its own from then on. A throttle that was free is no try.
 */
export const mayGoTogether = (delivery: Pick<Delivery, "attempts" | "lapses">): boolean =>
  delivery.attempts === 0 && !isSuspect(delivery);

/**
 * Which of a lane's due deliveries, earliest first, go in which of the `calls` that may go now, of
 * at most `max` deliveries each. What is left out waits on.
 *
 * Those that would go one by one open a call each, in the order in which the lane gives them. Calls
 * that can take more are then filled, as evenly as can be, with what can go together next. So where
 * no more is due than may go, each goes alone; retries have no more of the calls than they would have
 * one by one; and with a `max` of 1 nothing else happens than that. Where calls take several, what was
 * throttled for free has its place back: before what has come since.
 */
export function inCalls<Due>(
  due: readonly Due[],
  { calls, max, salt }: { readonly calls: number; readonly max: number; readonly salt: string },
  deliveryOf: (due: Due) => Pick<Delivery, "attempts" | "throttles" | "lapses">,
): readonly (readonly Due[])[] {
  const isJoint = (item: Due): boolean => mayGoTogether(deliveryOf(item));
  const order =
    max === 1
      ? firstsBesideRetries(due, deliveryOf, salt)
      : firstsBesideRetries(heldUpFirst(due, deliveryOf), tries(deliveryOf), salt);
  const openers = order.slice(0, calls);
  if (max === 1 || openers.length === order.length) return openers.map((opener) => [opener]);
  const joint = order.filter(isJoint);
  let left = openers.filter(isJoint).length;
  let taken = 0;
  return openers.map((opener) => {
    if (!isJoint(opener)) return [opener];
    const size = Math.min(max, Math.ceil((joint.length - taken) / left));
    left -= 1;
    taken += size;
    return joint.slice(taken - size, taken);
  });
}

/** It was throttled for free: it is older than what it waits beside, and due later. */
const isHeldUp = (delivery: Pick<Delivery, "attempts" | "throttles" | "lapses">): boolean =>
  mayGoTogether(delivery) && delivery.throttles > 0;

function heldUpFirst<Due>(
  due: readonly Due[],
  deliveryOf: (due: Due) => Pick<Delivery, "attempts" | "throttles" | "lapses">,
): readonly Due[] {
  const heldUp = due.filter((item) => isHeldUp(deliveryOf(item)));
  return heldUp.length === 0 ? due : [...new Set([...heldUp, ...due])];
}

/** Only what was tried is a retry here. */
const tries =
  <Due>(deliveryOf: (due: Due) => Pick<Delivery, "attempts">) =>
  (item: Due): Pick<Delivery, "attempts" | "throttles"> => ({
    attempts: deliveryOf(item).attempts,
    throttles: 0,
  });

/** The calls of a claim's result, each with its claims in their order. */
export function callsOf(claims: readonly Claim[]): readonly Call[] {
  const calls = Map.groupBy(claims, (claim) => claim.call ?? claim);
  return [...calls.values()].map(([first, ...others]) => [first as Claim, ...others]);
}
