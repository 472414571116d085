import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createFakeSlack, type FakeMessage } from "@posthorn/testing/slack";
import { firstLine, start } from "../processes/start.ts";
import { loadBus, type Part, typeOf } from "./part.ts";

/** How many events go to the busy channel and, together, to the quiet ones. */
export interface Load {
  readonly busy: number;
  readonly quiet: number;
  readonly quietChannels: number;
}

/** What a channel got. */
interface ChannelReport {
  readonly name: string;
  readonly published: number;
  /** Events that its messages tell of; a digest tells of several. */
  readonly told: number;
  readonly messages: readonly {
    readonly atMs: number;
    readonly events: number;
    readonly hidden: boolean;
  }[];
  /** Names that a message lists after a later one of the same publisher. */
  readonly overtaken: number;
  readonly mostInFlight: number;
  readonly mostInASecond: number;
}

export interface LoadReport {
  readonly channels: readonly ChannelReport[];
  /** When Slack asked to wait, in milliseconds since the first message. */
  readonly limitedAtMs: readonly number[];
  readonly deliveries: Readonly<Record<string, number>>;
  readonly tookMs: number;
}

const WITHIN_MS = 60_000;
const PROCESSES = 2;

/**
 * Two processes publish to one busy channel and several quiet ones of a fake Slack with its usual
 * limits, and deliver until nothing waits. Slack asks once to wait, in a quiet channel.
 */
export async function play({ busy, quiet, quietChannels }: Load): Promise<LoadReport> {
  const folder = await mkdtemp(join(tmpdir(), "posthorn-slack-load-"));
  const names = ["busy", ...Array.from({ length: quietChannels }, (_, index) => `quiet-${index}`)];
  const published = names.map((_, index) => (index === 0 ? busy : quiet / quietChannels));
  const fake = await createFakeSlack({ channels: names });
  const headers = { "retry-after": "2" };
  fake.fault({ match: { channel: "quiet-0" }, action: { type: "status", status: 429, headers } });
  const setting = { database: join(folder, "load.sqlite"), slackUrl: fake.url };
  const { bus, storage, close } = loadBus({ ...setting, events: published });
  await storage.migrate();
  const hosts = Array.from({ length: PROCESSES }, (_, index) => {
    const events = published.map((count) => count / PROCESSES);
    const part: Part = { ...setting, name: `p${index}`, events };
    return start(join(import.meta.dirname, "host.ts"), [JSON.stringify(part)], folder);
  });
  const all = async (order: string): Promise<void> => {
    const done = hosts.map(firstLine);
    for (const { stdin } of hosts) stdin?.write(`${order}\n`);
    await Promise.all(done);
  };
  try {
    await Promise.all(hosts.map(firstLine));
    for (const [index, name] of names.entries()) {
      await bus.subscriptions.create({
        organization: "acme",
        name,
        eventTypes: [typeOf(index)],
        type: "slack",
        configuration: { token: "xoxb-fake", channel: name, username: "Load" },
      } as never);
    }
    await all("publish");
    const began = Date.now();
    await all("start");
    const deliveries = await settled();
    const tookMs = Date.now() - began;
    const zero = Math.min(...names.flatMap((name) => fake.messages(name).map(postedAt)));
    const channels = names.map((name, index) => ({
      name,
      published: published[index] ?? 0,
      ...read(fake.messages(name), zero),
      mostInFlight: fake.traffic.maxInFlight(name),
      mostInASecond: fake.traffic.mostWithin(name, 1_000),
    }));
    const limitedAtMs = fake.traffic.limited().map(({ receivedAt }) => receivedAt - zero);
    return { channels, limitedAtMs, deliveries, tookMs };
  } finally {
    for (const host of hosts) host.stdin?.write("finish\n");
    await Promise.race([Promise.all(hosts.map((host) => once(host, "exit"))), setTimeout(5_000)]);
    for (const host of hosts) host.kill("SIGKILL");
    await bus.stop();
    await close();
    await fake.close();
    await rm(folder, { recursive: true });
  }

  /** How many deliveries stand how, once all were made and none is pending. */
  async function settled(): Promise<Readonly<Record<string, number>>> {
    const wanted = busy + quiet;
    const giveUpAt = Date.now() + WITHIN_MS;
    for (;;) {
      const stands: Record<string, number> = {};
      let after: string | null | undefined;
      while (after !== null) {
        const page = await bus.deliveries.list({ organization: "acme", limit: 100, after });
        for (const { status } of page.items) stands[status] = (stands[status] ?? 0) + 1;
        after = page.next;
      }
      const made = Object.values(stands).reduce((sum, count) => sum + count, 0);
      if (made === wanted && (stands["pending"] ?? 0) === 0) return stands;
      if (Date.now() > giveUpAt) return stands;
      await setTimeout(250);
    }
  }
}

const postedAt = (message: FakeMessage): number => message.postedAt;

function read(
  messages: readonly FakeMessage[],
  zero: number,
): Pick<ChannelReport, "told" | "messages" | "overtaken"> {
  const latest = new Map<string, number>();
  let overtaken = 0;
  const shown = messages.map(({ text, postedAt: at, hidden = false }) => {
    for (const [, publisher = "", index] of text.matchAll(/\b(p\d)-(\d{4})\b/g)) {
      if (Number(index) < (latest.get(publisher) ?? -1)) overtaken += 1;
      latest.set(publisher, Number(index));
    }
    return { atMs: at - zero, events: Number(/^(\d+) events in/.exec(text)?.[1] ?? 1), hidden };
  });
  const told = shown.reduce((sum, { events }) => sum + events, 0);
  return { told, messages: shown, overtaken };
}

/** A line per channel, a column per second: how many events its messages told of. */
export function timeline({ channels, limitedAtMs, deliveries, tookMs }: LoadReport): string {
  const seconds = 1 + Math.max(...channels.flatMap(({ messages }) => messages.map(secondOf)));
  const columns = Array.from({ length: seconds }, (_, second) => second);
  const row = (name: string, cells: readonly (string | number)[]): string =>
    `${name.padEnd(10)}${cells.map((cell) => String(cell).padStart(5)).join("")}`;
  return [
    row("second", columns),
    ...channels.map(({ name, messages }) =>
      row(
        name,
        columns.map((second) => {
          const here = messages.filter((message) => secondOf(message) === second);
          return here.reduce((sum, { events }) => sum + events, 0) || "·";
        }),
      ),
    ),
    `${channels.reduce((sum, { messages }) => sum + messages.length, 0)} messages, ${JSON.stringify(deliveries)} in ${(tookMs / 1_000).toFixed(1)} s; Slack asked to wait after ${limitedAtMs.join(", ") || "nothing"} ms`,
  ].join("\n");
}

const secondOf = ({ atMs }: { readonly atMs: number }): number => Math.floor(atMs / 1_000);
