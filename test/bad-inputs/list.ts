/** The list of what can go wrong, by the letter and the number of its entries. */
export const list: Readonly<Record<string, number>> = {
  U: 159, // URLs
  N: 20, // where names lead, and connections
  J: 20, // bodies of requests
  C: 15, // options of the host
  H: 16, // headers
  P: 18, // events
  T: 10, // patterns, filters and templates
  D: 11, // ids, pages and organizations
  X: 11, // Unicode
  S: 15, // signatures
};

const http = "packages/handler-http/src";

/** Entries whose cases need raw sockets or no storage, and so are cases of other tests. */
export const inOtherTests: Readonly<Record<string, readonly string[]>> = {
  [`${http}/connect.test.ts`]: [
    ...["N01", "N02", "N03", "N04", "N05", "N06", "N07", "N08", "N09"],
    ...["N13", "N14", "N15", "N16", "N17", "N20"],
  ],
  [`${http}/http.test.ts`]: ["N10", "N11"],
  [`${http}/hostile.test.ts`]: ["N12", "H15"],
  [`${http}/reply.test.ts`]: ["H16"],
  [`${http}/verify.test.ts`]: Array.from(
    { length: 15 },
    (_, index) => `S${String(index + 1).padStart(2, "0")}`,
  ),
};

/** Entries about what Posthorn does not have, and why it has not. */
export const withoutObject: Readonly<Record<string, string>> = {
  T03: "Customers give no paths into data: there are no filters, only event types.",
  T04: "Nothing that customers give nests conditions; nesting in bodies is J05.",
  T06: "Nothing compares values of events: event types match byte by byte (T08).",
  T09: "A pattern cannot throw: it is checked when it is saved, and matched as a text.",
  T10: "Customers give no templates; the host's own are code, and their results are cut (handler-slack).",
};
