import type { Logger, StoredEvent, Transport, TransportListener } from "@posthorn/core";
import { type VirtualSystem, virtualSystem } from "@posthorn/testing";
import { type PostgresTransportOptions, postgresTransport } from "@posthorn/transport-postgres";
import { type Mock, vi } from "vitest";
import { type FakeClient, fakeClient } from "./fake-client.ts";

export interface Stage {
  readonly transport: Transport;
  readonly system: VirtualSystem;
  readonly clients: readonly FakeClient[];
  /** When each client was made: epoch milliseconds. */
  readonly createdAt: readonly number[];
  readonly logger: { readonly [level in keyof Logger]: Mock<Logger[level]> };
  readonly ear: { readonly [word in keyof TransportListener]: Mock<TransportListener[word]> };
  /** Lets what is due now happen, then lets time pass. */
  pass(ms?: number): Promise<void>;
  /** What the client was told to send. */
  sent(client?: number): readonly (readonly string[])[];
}

/** A transport that listens, in virtual time, without a server. */
export async function stage(
  given: Partial<PostgresTransportOptions> & {
    readonly prepare?: (client: FakeClient, index: number) => unknown;
  } = {},
): Promise<Stage> {
  const { prepare, ...options } = given;
  const system = virtualSystem();
  const clients: FakeClient[] = [];
  const createdAt: number[] = [];
  const logger = {
    debug: vi.fn<Logger["debug"]>(),
    info: vi.fn<Logger["info"]>(),
    warn: vi.fn<Logger["warn"]>(),
    error: vi.fn<Logger["error"]>(),
  };
  const transport = postgresTransport({
    createClient: () => {
      const client = fakeClient(options.channel);
      prepare?.(client, clients.length);
      clients.push(client);
      createdAt.push(system.now());
      return client;
    },
    system,
    logger,
    ...options,
  });
  const ear = {
    wake: vi.fn<TransportListener["wake"]>(),
    event: vi.fn<TransportListener["event"]>(),
  };
  transport.listen(ear);
  const pass = async (ms = 0): Promise<void> => {
    await new Promise(setImmediate);
    system.moveTo(system.now() + ms);
    await new Promise(setImmediate);
  };
  await pass();
  const sent = (index = 0): readonly (readonly string[])[] =>
    clients[index]?.asked.filter((asked) => typeof asked !== "string") ?? [];
  return { transport, system, clients, createdAt, logger, ear, pass, sent };
}

export const event = (id: string, payload = "{}"): StoredEvent => ({
  id,
  type: "project_created",
  organization: "acme",
  occurredAt: 0,
  publishedAt: 0,
  actor: null,
  trace: null,
  payload,
  orderingKey: null,
});
