import type { Flown } from "../log.ts";
import { callsOf } from "./ledger.ts";
import { firstOf, type Rule, START_WITHIN_MS } from "./rule.ts";

const FAILURES_THAT_OPEN = 10;
/** Of a probe that was heard nothing of for nearly so long, it is not known whether it counts. */
const PROBE_LEASE_MS = 50_000;

export const limitRules: readonly Rule[] = [
  {
    name: "a limit holds in every window, at the receiver, over all processes",
    laws: "I6, 7, 8",
    see: (entry, { deliveries, gates }, { clockErrorMs }) => {
      if (entry.type !== "sent" || entry.call !== entry.send) return null;
      const delivery = deliveries.get(entry.deliveryId);
      const flight = delivery?.flights.findLast(({ process }) => process === entry.process);
      return firstOf(flight?.gates ?? [], ({ id, name }) => {
        const gate = gates.get(id);
        if (!gate?.limit) return null;
        const { limit, perMs, burst } = gate.limit;
        const gapMs = perMs / limit;
        const times = [...gate.sentAt, entry.at];
        for (let index = times.length - 1 - burst; index >= 0; index -= 1) {
          const count = times.length - index;
          const windowMs = entry.at - (times[index] as number);
          if (windowMs > 60_000) return null;
          const most = burst + (windowMs + START_WITHIN_MS + clockErrorMs) / gapMs;
          if (count > most) return `${count} were sent through ${name} within ${windowMs} ms`;
        }
        return null;
      });
    },
  },
  {
    name: "nothing passes a gate that is closed",
    laws: "9, 20",
    see: (entry, { gates }, { clockErrorMs }) => {
      if (entry.type !== "claimed" && entry.type !== "routed") return null;
      return firstOf(entry.claims, (flown) =>
        firstOf(flown.gates, ({ id, name }) => {
          const gate = gates.get(id);
          if (gate === undefined) return null;
          if (gate.closedUntil > entry.now + clockErrorMs) {
            return `${flown.deliveryId} passed ${name} though it had asked for ${gate.closedUntil - entry.now} ms more`;
          }
          return gate.openUntil > entry.now
            ? `${flown.deliveryId} passed ${name}, whose breaker is open for ${gate.openUntil - entry.now} ms more`
            : null;
        }),
      );
    },
  },
  {
    name: "an open breaker lets one out, and with each success twice as many",
    laws: "20",
    see: (entry, { gates, inFlight }) => {
      if (entry.type !== "claimed" && entry.type !== "routed") return null;
      const through = (id: string, flown: Flown): boolean =>
        flown.gates.some((gate) => gate.id === id && gate.epoch === gates.get(id)?.epoch);
      return firstOf(entry.claims, (flown) =>
        firstOf(flown.gates, ({ id, name }) => {
          const { width = Number.POSITIVE_INFINITY } = gates.get(id) ?? {};
          if (width === Number.POSITIVE_INFINITY) return null;
          const out = [...inFlight].filter(
            (flight) =>
              flight.tells && through(id, flight) && entry.now < flight.at + PROBE_LEASE_MS,
          );
          const fresh = callsOf(entry.claims).filter(([first]) => through(id, first));
          return out.length + fresh.length > width
            ? `${out.length + fresh.length} are out through ${name}, whose breaker lets out ${width}`
            : null;
        }),
      );
    },
  },
  {
    name: "a gate that fails ten times in a row opens",
    laws: "20",
    see: (entry, { gates, deliveries }) => {
      if (entry.type !== "settled") return null;
      return firstOf(entry.flights, ({ change, deliveryId, outcome }) => {
        const delivery = deliveries.get(deliveryId);
        const flight = delivery?.flight;
        const [first] = flight?.gates ?? [];
        const gate = first && gates.get(first.id);
        if (!gate || change === null || change.lapses > (delivery?.lapses ?? 0)) return null;
        const after = change.gates.find(({ id }) => id === first?.id)?.after;
        const isFailure = outcome === "failed" || outcome === "unknown";
        if (!isFailure || after === undefined || first?.epoch !== gate.epoch) return null;
        if (entry.flights.length > 1) return null;
        return gate.failures + 1 >= FAILURES_THAT_OPEN && after.openUntil === null
          ? `${first?.name} has failed ${gate.failures + 1} times in a row, and is not open`
          : null;
      });
    },
  },
  {
    name: "results of an older epoch do not move a breaker",
    laws: "20",
    see: (entry, { deliveries }) => {
      if (entry.type !== "settled") return null;
      return firstOf(entry.flights, ({ change, deliveryId }) =>
        firstOf(change?.gates ?? [], ({ id, before, after }) => {
          const passed = deliveries.get(deliveryId)?.flight?.gates.find((gate) => gate.id === id);
          if (passed === undefined || passed.epoch === before.epoch) return null;
          return before.breaker === after.breaker
            ? null
            : `${deliveryId}, of epoch ${passed.epoch}, moved a breaker of epoch ${before.epoch}`;
        }),
      );
    },
  },
];
