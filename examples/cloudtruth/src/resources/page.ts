import type { Context } from "hono";
import * as v from "valibot";
import { notFound } from "./refusal.ts";
import { type Env, queryOf } from "./request.ts";

const number = (most: number) =>
  v.pipe(
    v.string(),
    v.regex(/^[1-9]\d{0,8}$/, "Must be a positive integer."),
    v.transform(Number),
    v.maxValue(most, `Must be at most ${most}.`),
  );

/** What every collection can be asked for; collections add to it. */
const pageQuery = {
  page: v.optional(number(1_000_000), "1"),
  page_size: v.optional(number(100), "25"),
};

/** The page that a request asks for, as CloudTruth's API shows it. @throws Refusal 400, 404 */
export function pageOf<Row, Entries extends v.ObjectEntries>(
  context: Context<Env>,
  options: {
    readonly baseUrl: string;
    readonly query: v.StrictObjectSchema<Entries, undefined>;
    rows(query: v.InferOutput<v.StrictObjectSchema<Entries, undefined>>): readonly Row[];
    show(row: Row, query: v.InferOutput<v.StrictObjectSchema<Entries, undefined>>): object;
  },
): Response {
  const query = queryOf(context, v.strictObject({ ...options.query.entries, ...pageQuery }));
  const { page, page_size: size } = query as { page: number; page_size: number };
  const rows = options.rows(query as never);
  const last = Math.max(1, Math.ceil(rows.length / size));
  if (page > last) throw notFound(`Invalid page: the last one is ${last}.`);

  const url = (number: number): string => {
    const target = new URL(context.req.path, options.baseUrl);
    target.search = new URL(context.req.url).search;
    target.searchParams.set("page", String(number));
    return target.href;
  };
  return context.json({
    count: rows.length,
    next: page < last ? url(page + 1) : null,
    previous: page > 1 ? url(page - 1) : null,
    results: rows
      .slice((page - 1) * size, page * size)
      .map((row) => options.show(row, query as never)),
  });
}
