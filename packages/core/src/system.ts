import { randomFillSync } from "node:crypto";
import { performance } from "node:perf_hooks";

/**
 * Time, chance and identity. Everything in core takes them from here, so that a test or a
 * simulation that hands in another System owns every clock, timer and coin of the bus.
 */
export interface System {
  /** Wall-clock time: integer epoch milliseconds. May jump. */
  now(): number;
  /** Monotonic time in milliseconds, from an arbitrary start. Never goes back. */
  mono(): number;
  /** Resolves after `ms` milliseconds, or as soon as the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A number in [0, 1), for jitter; not for secrets. */
  random(): number;
  /** `length` bytes fit for keys and nonces. */
  bytes(length: number): Uint8Array;
  /** A new UUIDv7 (RFC 9562 §5.7); later ids of one System sort after earlier ones. */
  id(): string;
}

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The real thing: `Date.now`, `performance.now`, `setTimeout`, `node:crypto`. */
export function nodeSystem(): System {
  const now = (): number => Date.now();
  const bytes = (length: number): Uint8Array => randomFillSync(new Uint8Array(length));
  return {
    now,
    mono: () => performance.now(),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const end = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", end);
          resolve();
        };
        const timer = setTimeout(end, Math.min(Math.max(0, ms), LONGEST_TIMEOUT_MS));
        signal?.addEventListener("abort", end);
      }),
    random: () => Math.random(),
    bytes,
    id: uuidv7({ now, bytes: inStock(bytes) }),
  };
}

const STOCK = 4_096;

/** Draws many bytes at once, and hands them out in small pieces: a draw costs more than an id. */
function inStock(draw: System["bytes"]): System["bytes"] {
  let stock = new Uint8Array();
  let used = 0;
  return (length) => {
    if (used + length > stock.length) {
      stock = new Uint8Array(draw(Math.max(STOCK, length)));
      used = 0;
    }
    used += length;
    return stock.subarray(used - length, used);
  };
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0"),
);

/**
 * A generator of UUIDv7: 48 bits of milliseconds, a 12-bit counter that keeps ids of one
 * millisecond in order (RFC 9562 §6.2, method 1), and 62 random bits.
 */
export function uuidv7(source: Pick<System, "now" | "bytes">): () => string {
  let lastMs = -1;
  let counter = 0;
  return () => {
    const ms = Math.max(source.now(), lastMs);
    counter = ms === lastMs ? counter + 1 : 0;
    lastMs = ms;
    if (counter > 0xfff) {
      lastMs = ms + 1;
      counter = 0;
    }
    const tail = source.bytes(8);
    tail[0] = ((tail[0] ?? 0) & 0x3f) | 0x80;
    const time = lastMs.toString(16).padStart(12, "0");
    let id = `${time.slice(0, 8)}-${time.slice(8)}-${(0x7000 + counter).toString(16)}-`;
    for (let at = 0; at < 8; at += 1) id += `${at === 2 ? "-" : ""}${HEX[tail[at] ?? 0]}`;
    return id;
  };
}
