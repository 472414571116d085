import type { Publisher } from "@posthorn/core";
import type { catalog } from "./catalog.ts";

export interface Invoice {
  readonly id: string;
  readonly organization: string;
  readonly cents: number;
}

// #region publish
/** Tells the organization that its invoice was paid, once per invoice. */
export async function settleInvoice(
  { id, organization, cents }: Invoice,
  bus: Publisher<typeof catalog, never>,
): Promise<void> {
  if (cents <= 0) throw new RangeError(`Invoice ${id} has nothing to pay.`);
  const idempotencyKey = `invoice_paid ${id}`;
  await bus.publish("invoice_paid", { invoice: id, cents }, { organization, idempotencyKey });
}
// #endregion publish
