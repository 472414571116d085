import { startProxy } from "../../packages/storage-sql/test/proxy.ts";
import { announce, hear } from "../processes/speak.ts";

// proxy.ts URL SLOT…: between each process and the database server. Says which URL each slot is to
// use instead, then cuts connections where it is told to, and says when it has.

/** What the parent says to it. */
export interface Cut {
  readonly slot: string;
  /** After this many bytes more from the client; or around a commit. */
  readonly at: number | "before commit" | "after commit";
}

const [, , target = "", ...slots] = process.argv;
const { hostname, port } = new URL(target);
const proxies = new Map(
  await Promise.all(
    slots.map(async (slot) => {
      const onCut = (): void => announce(slot);
      return [slot, await startProxy(Number(port), hostname, onCut)] as const;
    }),
  ),
);
const urls = [...proxies].map(([slot, proxy]) => {
  const url = new URL(target);
  url.port = String(proxy.port);
  return [slot, url.href] as const;
});
announce(JSON.stringify(Object.fromEntries(urls)));

hear((line) => {
  const { slot, at }: Cut = JSON.parse(line);
  const proxy = proxies.get(slot);
  if (typeof at === "number") proxy?.cutAfter(at);
  else proxy?.cutAt(/\bcommit\b/, at === "before commit" ? "before" : "answered");
});
