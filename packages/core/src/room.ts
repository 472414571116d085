import type { FlightTerms } from "./storage.ts";

/** What a process has in flight: calls, with one delivery or several. */
export interface InFlight {
  /** By subscription id. */
  readonly byLane: ReadonlyMap<string, number>;
  readonly byOrganization: ReadonlyMap<string, number>;
}

interface Place {
  readonly subscriptionId: string;
  readonly organization: string;
}

/** What may still begin, while a claim or a route hands it out. */
export interface Room {
  of(place: Place): number;
  /** In all lanes of an organization together: where there is none, none of them needs looking at. */
  ofOrganization(organization: string): number;
  take(place: Place, count: number): void;
}

/**
 * A destination that answers slowly fills a process with its own calls: so many are of one lane,
 * and of one organization, at most. What is in flight already counts.
 */
export function roomIn(
  terms: Pick<FlightTerms, "slots" | "perLane" | "perOrganization" | "inFlight">,
): Room {
  const byLane = new Map(terms.inFlight?.byLane);
  const byOrganization = new Map(terms.inFlight?.byOrganization);
  const { perLane, perOrganization = Number.POSITIVE_INFINITY } = terms;
  let free = terms.slots;
  const ofOrganization = (organization: string): number =>
    Math.max(0, Math.min(free, perOrganization - (byOrganization.get(organization) ?? 0)));
  return {
    of: ({ subscriptionId, organization }) => {
      const inLane = perLane - (byLane.get(subscriptionId) ?? 0);
      return Math.max(0, Math.min(inLane, ofOrganization(organization)));
    },
    ofOrganization,
    take: ({ subscriptionId, organization }, count) => {
      free -= count;
      byLane.set(subscriptionId, (byLane.get(subscriptionId) ?? 0) + count);
      byOrganization.set(organization, (byOrganization.get(organization) ?? 0) + count);
    },
  };
}

/** The organizations of which no more may begin: what is due of them need not be looked at. */
export function fullOrganizations({
  perOrganization = Number.POSITIVE_INFINITY,
  inFlight,
}: Pick<FlightTerms, "perOrganization" | "inFlight">): ReadonlySet<string> {
  const counts = [...(inFlight?.byOrganization ?? [])];
  return new Set(counts.flatMap(([id, count]) => (count >= perOrganization ? [id] : [])));
}

/** Counts what is in flight, as it begins and ends. */
export interface FlightCount extends InFlight {
  begin(place: Place): void;
  end(place: Place): void;
  /** Is there a lane or an organization of which no more may begin? */
  isFull(terms: Pick<FlightTerms, "perLane" | "perOrganization">): boolean;
}

export function countFlights(): FlightCount {
  const byLane = new Map<string, number>();
  const byOrganization = new Map<string, number>();
  const change = (counts: Map<string, number>, key: string, by: number): void => {
    const count = (counts.get(key) ?? 0) + by;
    if (count > 0) counts.set(key, count);
    else counts.delete(key);
  };
  const move = ({ subscriptionId, organization }: Place, by: number): void => {
    change(byLane, subscriptionId, by);
    change(byOrganization, organization, by);
  };
  return {
    byLane,
    byOrganization,
    begin: (place) => move(place, 1),
    end: (place) => move(place, -1),
    isFull: ({ perLane, perOrganization = Number.POSITIVE_INFINITY }) =>
      [...byLane.values()].some((count) => count >= perLane) ||
      [...byOrganization.values()].some((count) => count >= perOrganization),
  };
}
