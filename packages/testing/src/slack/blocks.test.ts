import { expect, test } from "vitest";
import { blocksLength, validateBlocks } from "./blocks.ts";

const mrkdwn = (text: string) => ({ type: "mrkdwn", text });
const plain = (text: string) => ({ type: "plain_text", text });
const section = (text: string) => ({ type: "section", text: mrkdwn(text) });
const button = (more: object = {}) => ({ type: "button", text: plain("Open"), ...more });
const actions = (...elements: unknown[]) => ({ type: "actions", elements });
const image = (more: object = {}) => ({
  type: "image",
  image_url: "https://example.com/a.png",
  alt_text: "a",
  ...more,
});
const rich = (...elements: unknown[]) => ({ type: "rich_text", elements });
const richSection = (...elements: unknown[]) => ({ type: "rich_text_section", elements });
const table = (rows: number, cells: number) => ({
  type: "table",
  rows: Array.from({ length: rows }, () =>
    Array.from({ length: cells }, () => ({ type: "raw_text", text: "x" })),
  ),
});
const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

test.each<[what: string, blocks: unknown[]]>([
  ["no blocks at all", []],
  ["50 blocks", many(50, () => ({ type: "divider" }))],
  ["a section of 3,000 characters", [section("x".repeat(3_000))]],
  ["a section of 3,000 characters outside the BMP", [section("🚀".repeat(3_000))]],
  ["10 fields of 2,000", [{ type: "section", fields: many(10, () => mrkdwn("x".repeat(2_000))) }]],
  ["an accessory", [{ ...section("x"), accessory: image() }]],
  ["a header of 150", [{ type: "header", text: plain("x".repeat(150)) }]],
  ["10 context elements", [{ type: "context", elements: many(10, () => mrkdwn("x")) }]],
  ["an image in a context", [{ type: "context", elements: [image()] }]],
  ["25 buttons", [actions(...many(25, (n) => button({ action_id: `a${n}` })))]],
  ["a select, which is not looked into", [actions({ type: "static_select", options: [] })]],
  ["an image with a title", [image({ title: plain("x".repeat(2_000)) })]],
  ["an image by file", [{ type: "image", slack_file: { id: "F1" }, alt_text: "a" }]],
  ["a markdown block of 12,000", [{ type: "markdown", text: "字".repeat(12_000) }]],
  [
    "rich text of every kind",
    [
      rich(
        richSection(
          { type: "text", text: "<!channel>", style: { code: true } },
          { type: "link", url: "https://example.com" },
          { type: "emoji", name: "tada" },
          { type: "user", user_id: "U1" },
          { type: "date", timestamp: 1, format: "{date}" },
        ),
        { type: "rich_text_list", style: "bullet", elements: [richSection()] },
        { type: "rich_text_preformatted", elements: [{ type: "text", text: "x" }] },
        { type: "rich_text_quote", elements: [{ type: "broadcast", range: "here" }] },
      ),
    ],
  ],
  ["a table of 100 × 20", [table(100, 20)]],
])("takes %s", (_, blocks) => {
  expect(validateBlocks(blocks)).toEqual([]);
});

const tooLong = (limit: number) => `must be less than ${limit + 1} characters`;
const union = "failed to match all allowed schemas";

test.each<[what: string, blocks: unknown[], findings: string[]]>([
  [
    "51 blocks",
    many(51, () => ({ type: "divider" })),
    ["no more than 50 items allowed [json-pointer:/blocks]"],
  ],
  ["what is no object", ["x"], ["must provide an object [json-pointer:/blocks/0]"]],
  ["a block without type", [{}], ["missing required field: type [json-pointer:/blocks/0]"]],
  ["an unknown type", [{ type: "x" }], ["unsupported type: x [json-pointer:/blocks/0/type]"]],
  [
    "a name of an object's own, such as constructor, as a type",
    [{ type: "constructor" }],
    ["unsupported type: constructor [json-pointer:/blocks/0/type]"],
  ],
  [
    "an unknown member",
    [{ type: "divider", text: "x" }],
    ["invalid additional property: text [json-pointer:/blocks/0]"],
  ],
  [
    "a section of 3,001 characters",
    [section("x".repeat(3_001))],
    [
      `${union} [json-pointer:/blocks/0/text]`,
      `${tooLong(3_000)} [json-pointer:/blocks/0/text/text]`,
    ],
  ],
  [
    "entities that make a section too long",
    [section("&".repeat(601))],
    [
      `${union} [json-pointer:/blocks/0/text]`,
      `${tooLong(3_000)} [json-pointer:/blocks/0/text/text]`,
    ],
  ],
  [
    "a section with an empty text",
    [section("")],
    [
      `${union} [json-pointer:/blocks/0/text]`,
      "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
    ],
  ],
  [
    "a section with neither text nor fields",
    [{ type: "section" }],
    ["must define either `text` or `fields` [json-pointer:/blocks/0/type]"],
  ],
  [
    "a section without any field",
    [{ type: "section", fields: [] }],
    ["no fewer than 1 items allowed [json-pointer:/blocks/0/fields]"],
  ],
  [
    "11 fields",
    [{ type: "section", fields: many(11, () => mrkdwn("x")) }],
    ["no more than 10 items allowed [json-pointer:/blocks/0/fields]"],
  ],
  [
    "a field of 2,001 characters",
    [{ type: "section", fields: [mrkdwn("x".repeat(2_001))] }],
    [
      `${union} [json-pointer:/blocks/0/fields/0]`,
      `${tooLong(2_000)} [json-pointer:/blocks/0/fields/0/text]`,
    ],
  ],
  [
    "a header of 151 characters",
    [{ type: "header", text: plain("x".repeat(151)) }],
    [`${tooLong(150)} [json-pointer:/blocks/0/text/text]`],
  ],
  [
    "mrkdwn in a header",
    [{ type: "header", text: mrkdwn("x") }],
    ["must be one of: plain_text [json-pointer:/blocks/0/text/type]"],
  ],
  [
    "11 context elements",
    [{ type: "context", elements: many(11, () => mrkdwn("x")) }],
    ["no more than 10 items allowed [json-pointer:/blocks/0/elements]"],
  ],
  [
    "a button in a context",
    [{ type: "context", elements: [button()] }],
    ["unsupported type: button [json-pointer:/blocks/0/elements/0/type]"],
  ],
  [
    "26 buttons",
    [actions(...many(26, () => button()))],
    ["no more than 25 items allowed [json-pointer:/blocks/0/elements]"],
  ],
  [
    "a button's text of 76 characters",
    [actions(button({ text: plain("x".repeat(76)) }))],
    [`${tooLong(75)} [json-pointer:/blocks/0/elements/0/text/text]`],
  ],
  [
    "a button's url of 3,001 characters",
    [actions(button({ url: "x".repeat(3_001) }))],
    [`${tooLong(3_000)} [json-pointer:/blocks/0/elements/0/url]`],
  ],
  [
    "a button's value of 2,001 characters",
    [actions(button({ value: "x".repeat(2_001) }))],
    [`${tooLong(2_000)} [json-pointer:/blocks/0/elements/0/value]`],
  ],
  [
    "an action_id of 256 characters",
    [actions(button({ action_id: "x".repeat(256) }))],
    [`${tooLong(255)} [json-pointer:/blocks/0/elements/0/action_id]`],
  ],
  [
    "a select's action_id of 256 characters",
    [actions({ type: "overflow", action_id: "x".repeat(256) })],
    [`${tooLong(255)} [json-pointer:/blocks/0/elements/0/action_id]`],
  ],
  [
    "one action_id twice in a message",
    [actions(button({ action_id: "x" })), actions(button({ action_id: "x" }))],
    ['`action_id` "x" already exists [json-pointer:/blocks/1/elements/0/action_id]'],
  ],
  [
    "one block_id twice",
    [
      { type: "divider", block_id: "x" },
      { type: "divider", block_id: "x" },
    ],
    ['`block_id` "x" already exists [json-pointer:/blocks/1/block_id]'],
  ],
  [
    "a block_id of 256 characters",
    [{ type: "divider", block_id: "x".repeat(256) }],
    [`${tooLong(255)} [json-pointer:/blocks/0/block_id]`],
  ],
  [
    "an image without alt_text",
    [{ type: "image", image_url: "https://example.com" }],
    ["missing required field: alt_text [json-pointer:/blocks/0]"],
  ],
  [
    "an image without a source",
    [{ type: "image", alt_text: "a" }],
    ["missing required field: image_url [json-pointer:/blocks/0]"],
  ],
  [
    "an image with two sources",
    [image({ slack_file: { id: "F1" } })],
    ["must define only one of `image_url` and `slack_file` [json-pointer:/blocks/0]"],
  ],
  [
    "an image's alt_text of 2,001 characters",
    [image({ alt_text: "x".repeat(2_001) })],
    [`${tooLong(2_000)} [json-pointer:/blocks/0/alt_text]`],
  ],
  [
    "an image_url of 3,001 characters",
    [image({ image_url: "x".repeat(3_001) })],
    [`${tooLong(3_000)} [json-pointer:/blocks/0/image_url]`],
  ],
  [
    "a markdown block of 12,001",
    [{ type: "markdown", text: "x".repeat(12_001) }],
    [`${tooLong(12_000)} [json-pointer:/blocks/0/text]`],
  ],
  [
    "an empty text in rich text",
    [rich(richSection({ type: "text", text: "" }))],
    ["must be more than 0 characters [json-pointer:/blocks/0/elements/0/elements/0/text]"],
  ],
  ["101 rows", [table(101, 1)], ["no more than 100 items allowed [json-pointer:/blocks/0/rows]"]],
  ["21 cells", [table(1, 21)], ["no more than 20 items allowed [json-pointer:/blocks/0/rows/0]"]],
  [
    "a verbatim that is no boolean",
    [{ type: "section", text: { ...mrkdwn("x"), verbatim: "yes" } }],
    [
      `${union} [json-pointer:/blocks/0/text]`,
      "must provide a boolean [json-pointer:/blocks/0/text/verbatim]",
    ],
  ],
])("refuses %s", (_, blocks, findings) => {
  expect(validateBlocks(blocks)).toEqual(findings);
});

test("points into the place it is told the blocks are in", () => {
  expect(validateBlocks([{ type: "x" }], "/attachments/2/blocks")).toEqual([
    "unsupported type: x [json-pointer:/attachments/2/blocks/0/type]",
  ]);
});

test("counts every text of the blocks, escaped, and 100 more for a header", () => {
  expect(blocksLength([section("<https://a.b|a> & <"), { type: "divider" }])).toBe(
    15 + 1 + 5 + 1 + 4,
  );
  expect(blocksLength([{ type: "header", text: plain("<a>") }])).toBe(100 + 9);
  expect(blocksLength([section("&amp;"), rich(richSection({ type: "text", text: "ab" }))])).toBe(7);
});
