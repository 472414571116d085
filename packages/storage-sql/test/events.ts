import type { NewEvent } from "@posthorn/core";

/** An event with an id that says where it comes from. */
export const anEventNamed = (id: string, given: Partial<NewEvent> = {}): NewEvent => ({
  id,
  type: "thing_made",
  organization: "acme",
  occurredAt: 1_800_000_000_000,
  publishedAt: 1_800_000_000_000,
  actor: null,
  trace: null,
  payload: '{"n":1}',
  orderingKey: null,
  idempotencyKey: null,
  announced: true,
  ...given,
});
