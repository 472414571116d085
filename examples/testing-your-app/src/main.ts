import { createEventBus } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { catalog } from "./catalog.ts";
import { settleInvoice } from "./invoices.ts";

// #region bus
const bus = createEventBus({ catalog, storage: memoryStorage(), handlers: [] });
// #endregion bus
bus.on("invoice_paid", ({ data }) => {
  console.log(`${data.invoice}: ${data.cents} cents`);
});

const invoice = { id: "in_1", organization: "acme", cents: 4_200 };
await settleInvoice(invoice, bus);
await settleInvoice(invoice, bus);
await bus.stop();

// Output:
// in_1: 4200 cents
