import type { Delivery } from "./delivery.ts";

/** Has it been tried before? A lapse is no try. */
export const isRetry = ({
  attempts,
  throttles,
}: Pick<Delivery, "attempts" | "throttles">): boolean => attempts > 0 || throttles > 0;

/** Of ten places, those that a retry may have while first attempts are due. */
const RETRY_PLACES: readonly number[] = [0, 3, 6];
const PLACES = 10;

/**
 * In which order a lane gives what is due in it, earliest first: at most 30 % of it are retries
 * (rounded up), wherever it is cut, as long as first attempts are due. So what failed in an outage
 * does not keep what is new waiting until all of it was tried again.
 *
 * Claims that take one at a time keep to it as well, on average: `salt`, another one for each
 * claim, says at which of the ten places it begins.
 */
export function firstsBesideRetries<Due>(
  due: readonly Due[],
  deliveryOf: (due: Due) => Pick<Delivery, "attempts" | "throttles">,
  salt: string,
): readonly Due[] {
  const places = due.map((item, place) => ({ item, place }));
  const retries = places.filter(({ item }) => isRetry(deliveryOf(item)));
  const firsts = places.filter(({ item }) => !isRetry(deliveryOf(item)));
  const order: Due[] = [];
  const begin = hash(salt);
  for (let r = 0, f = 0; order.length < due.length; ) {
    const [retry, first] = [retries[r], firsts[f]];
    const mayRetry = RETRY_PLACES.includes((begin + order.length) % PLACES);
    const isRetrys =
      first === undefined || (retry !== undefined && mayRetry && retry.place < first.place);
    const next = isRetrys ? retry : first;
    if (next === undefined) break;
    order.push(next.item);
    if (isRetrys) r += 1;
    else f += 1;
  }
  return order;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) {
    value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  }
  return value;
}
