import { expect, it } from "vitest";
import { returnsRows } from "./returns-rows.ts";

it.each([
  "select 1",
  "  SELECT id from events",
  "with r as (select 1) insert into events select * from r",
  "insert into events (id) values (?) returning id",
])("answers rows: %s", (text) => {
  expect(returnsRows(text)).toBe(true);
});

it.each([
  "insert into events (id) select id from (select 1 as id)",
  "update subscriptions set returning_soon = 1, selected = 2",
  "delete from events where id = ?",
])("answers a number: %s", (text) => {
  expect(returnsRows(text)).toBe(false);
});
