import { canServe, isFree } from "./lane.ts";
import { toldOf } from "./operational-event.ts";
import { queueOf } from "./order.ts";
import { matches } from "./pattern.ts";
import { roomIn } from "./room.ts";
import type { Candidate, PlannedDelivery, RouteInput, RoutePlan } from "./storage.ts";

/**
 * Which deliveries unrouted events owe, and which of them may start at once. Pure, but for the
 * new ids.
 *
 * An event that owes more than fits in one transaction gets a cursor and goes on from there in
 * the next. A subscription that cannot be matched gets a dead delivery and harms nobody else. None
 * is told of itself.
 */
export function planDeliveries(input: RouteInput, newId: () => string): RoutePlan {
  const { request, events } = input;
  const deliveries: PlannedDelivery[] = [];
  const cursors = new Map<string, string>();
  const owed = matcher(input);
  const mayStart = starter(input);

  for (const { event, after } of events) {
    const subject = toldOf(event);
    for (const { candidate, problem } of owed(event.organization, event.type)) {
      const { subscription } = candidate;
      if (subscription.id === subject || (after !== null && subscription.id <= after)) continue;
      if (deliveries.length >= request.maxDeliveries) {
        cursors.set(event.id, lastDealtWith(deliveries, event.id) ?? after ?? "");
        break;
      }
      deliveries.push({
        id: newId(),
        organization: event.organization,
        eventId: event.id,
        eventType: event.type,
        subscriptionId: subscription.id,
        handlerType: subscription.type,
        createdAt: request.now,
        queue: queueOf(event),
        state: problem !== null ? { deadReason: problem } : mayStart(candidate) ? "start" : "wait",
      });
    }
  }
  return { deliveries, cursors };
}

interface Owed {
  readonly candidate: Candidate;
  readonly problem: string | null;
}

/** Answers who is owed an event, in the order of subscription ids; each question is asked once. */
function matcher(input: RouteInput): (organization: string, type: string) => readonly Owed[] {
  const answers = new Map<string, readonly Owed[]>();
  return (organization, type) => {
    const question = JSON.stringify([type, organization]);
    let answer = answers.get(question);
    if (answer === undefined) {
      answer = input.candidates(organization).flatMap((candidate): readonly Owed[] => {
        try {
          const { eventTypes } = candidate.subscription;
          return eventTypes.some((pattern) => matches(pattern, type))
            ? [{ candidate, problem: null }]
            : [];
        } catch (error) {
          return [{ candidate, problem: `match_error: ${String(error)}` }];
        }
      });
      answers.set(question, answer);
    }
    return answer;
  };
}

/** Grants starts to free lanes that this process can serve, within its slots. */
function starter({ request }: RouteInput): (candidate: Candidate) => boolean {
  const room = roomIn(request);
  return ({ lane, gates }) => {
    if (room.of(lane) === 0) return false;
    if (!canServe(lane, request) || !isFree(lane, gates, request.now)) return false;
    room.take(lane, 1);
    return true;
  };
}

const lastDealtWith = (
  deliveries: readonly PlannedDelivery[],
  eventId: string,
): string | undefined => {
  const last = deliveries.at(-1);
  return last?.eventId === eventId ? last.subscriptionId : undefined;
};

const FIRST_PUT_OFF_MS = 60_000;
const LONGEST_PUT_OFF_MS = 3_600_000;

/** How long an event that could not be routed rests, by how often it could not before. */
export const putOffMs = (tries: number): number =>
  Math.min(LONGEST_PUT_OFF_MS, FIRST_PUT_OFF_MS * 2 ** tries);
