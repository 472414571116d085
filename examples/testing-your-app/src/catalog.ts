import { defineCatalog } from "@posthorn/core";
import { integer, number, object, pipe, string } from "valibot";

export const catalog = defineCatalog({
  invoice_paid: {
    description: "An invoice was paid in full.",
    schema: object({ invoice: string(), cents: pipe(number(), integer()) }),
  },
  invoice_overdue: {
    description: "An invoice is past its due date.",
    schema: object({ invoice: string(), days: pipe(number(), integer()) }),
  },
});
