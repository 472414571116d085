import type { KnownSubscription, Ledger } from "./checker/ledger.ts";
import { secretOf } from "./checker/subscriptions.ts";
import type { Running } from "./host.ts";
import type { Entry } from "./log.ts";
import type { Act, Wish } from "./plan.ts";
import type { World } from "./world.ts";

/** An owner sees that something is slow, and not yet that it is lost; and looks out for it so often. */
const SLOW_MS = 1_000;
const LOST_MS = 4_000;
const LOOK_EVERY_MS = 500;
const LOOKS = 120;

/** The owners of subscriptions, and who runs the product. */
export interface Operator {
  subscribe(running: Running, wish: Wish): Promise<void>;
  act(running: Running, act: Act): Promise<void>;
  /** Switches on again what is switched off. */
  repair(running: Running): Promise<void>;
}

export function createOperator(options: {
  readonly world: World;
  readonly ledger: Ledger;
  readonly write: (entry: Entry) => void;
}): Operator {
  const { world, ledger, write } = options;
  let named = 0;

  const configured = (destination: number, hasSecret: boolean) => {
    named += 1;
    const tag = `${named}`;
    return {
      url: `d${destination}`,
      tag,
      ...(hasSecret && { secret: secretOf(tag) }),
    };
  };

  async function subscribe({ bus }: Running, wish: Wish): Promise<void> {
    const { organization, type, destination, eventTypes, order } = wish;
    await bus.subscriptions.create({
      organization,
      name: "a wish",
      type,
      eventTypes,
      order,
      configuration: configured(destination, type === "post"),
    });
  }

  /** Waits until somebody is slow to answer, and holds up what is behind; answers whose that is. */
  async function stuck(): Promise<KnownSubscription | null> {
    for (let looks = 0; looks < LOOKS; looks += 1) {
      for (const { at, subscriptionId } of ledger.inFlight) {
        const subscription = ledger.subscriptions.get(subscriptionId);
        const isSlow = world.now - at > SLOW_MS && world.now - at < LOST_MS;
        if (isSlow && subscription?.order === "stop_at_dead") return subscription;
      }
      await new Promise<void>((resolve) => world.at(LOOK_EVERY_MS, resolve));
    }
    return null;
  }

  async function change({ bus }: Running, { what, which, wish }: Act): Promise<void> {
    const subscriptions = [...ledger.subscriptions.values()].filter(({ deleted }) => !deleted);
    const subscription =
      (what === "reconfigure" && which % 2 === 0 ? await stuck() : null) ??
      subscriptions[which % Math.max(1, subscriptions.length)];
    if (subscription === undefined) return;
    const { id, organization, handlerType } = subscription;
    const reference = { organization, id };
    write({ type: "acting", at: world.now, what, subscriptionId: id });
    switch (what) {
      case "switch off":
        await bus.subscriptions.update(reference, { enabled: false });
        return;
      case "switch on":
        await bus.subscriptions.update(reference, { enabled: true });
        return;
      case "reconfigure": {
        const configuration = configured(wish.destination, handlerType === "post");
        await bus.subscriptions.update(reference, { configuration, eventTypes: wish.eventTypes });
        return;
      }
      case "reorder":
        await bus.subscriptions.update(reference, { order: wish.order });
        return;
      case "delete":
        return bus.subscriptions.delete(reference);
      case "test":
        await bus.subscriptions.test(reference);
        return;
      case "replay":
        await bus.replays.create({
          organization,
          subscriptionId: id,
          from: 0,
          which: which % 2 === 0 ? "all" : "dead",
        });
        return;
      case "cancel all":
        await bus.deliveries.cancelAll({ organization, subscriptionId: id });
        return;
    }
  }

  async function repeatOrCancel({ bus }: Running, { what, which }: Act): Promise<void> {
    // One in four asks for something that cannot be.
    const isAny = which % 4 === 0;
    const deliveries = [...ledger.deliveries.values()].filter(
      ({ status, event }) =>
        (isAny || (status === "pending") === (what === "cancel")) && !event?.forgotten,
    );
    const delivery = deliveries[which % Math.max(1, deliveries.length)];
    if (delivery?.subscription === undefined) return;
    const { id } = delivery;
    const { organization } = delivery.subscription;
    if (what === "cancel") await bus.deliveries.cancel({ organization, id });
    else await bus.deliveries.redeliver({ organization, id });
  }

  return {
    subscribe,
    act: async (running, act) => {
      switch (act.what) {
        case "create":
          return subscribe(running, act.wish);
        case "redeliver":
        case "cancel":
          return repeatOrCancel(running, act);
        case "forget":
          await running.bus.events.prune({ organization: act.wish.organization });
          return;
        case "reseal":
          await running.bus.reseal();
          return;
        default:
          return change(running, act);
      }
    },
    repair: async ({ bus }) => {
      for (const { id, organization, enabled, deleted } of ledger.subscriptions.values()) {
        if (enabled || deleted) continue;
        write({ type: "acting", at: world.now, what: "switch on", subscriptionId: id });
        await bus.subscriptions.update({ organization, id }, { enabled: true });
      }
    },
  };
}
