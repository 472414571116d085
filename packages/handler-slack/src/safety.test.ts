import { validateBlocks } from "@posthorn/testing/slack";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostile, residue } from "../test/hostile.ts";
import { layOut, type Message } from "./message.ts";
import { bold, code, date, link, mrkdwn, toMrkdwn } from "./mrkdwn.ts";

describe("any text, however cut", () => {
  const inline = fc.oneof(
    hostile,
    hostile.map(code),
    hostile.map(bold),
    fc.tuple(fc.oneof(fc.webUrl(), hostile), hostile).map(([url, label]) => link(url, label)),
    fc.double().map(date),
    fc.array(hostile, { maxLength: 3 }),
  );
  const text = fc
    .tuple(inline, inline, inline)
    .map(([a, b, c]) => mrkdwn`*a* ${a} <https://a.test|b> ${b} \`c\` &amp; <${c}> `);

  it("is at most as long as asked, mentions nobody, and holds no broken entity or token", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 600 }), (content, limit) => {
        const written = toMrkdwn(content, limit);
        expect(written.length).toBeLessThanOrEqual(limit);
        expect(written.isWellFormed()).toBe(true);
        expect(residue(written)).not.toMatch(/[<>&]/);
      }),
      { numRuns: 500 },
    );
  });

  it("closes every code span that it opens", () => {
    fc.assert(
      fc.property(fc.array(hostile.map(code)), fc.integer({ min: 1, max: 200 }), (spans, limit) => {
        const marks = toMrkdwn(spans, limit).split("`").length - 1;
        expect(marks % 2).toBe(0);
      }),
    );
  });

  it("is caught by these properties if it is not escaped", () => {
    expect(residue("Created <!channel>")).toMatch(/[<>&]/);
    expect(residue("Tom & Jerry &am")).toMatch(/[<>&]/);
  });
});

describe("any message", () => {
  const origin = { occurredAt: 0, attempt: 2 };
  const long = fc.tuple(hostile, fc.integer({ min: 1, max: 60 })).map(([t, n]) => t.repeat(n));
  const message: fc.Arbitrary<Message> = fc.record({
    lead: long.map((text) => mrkdwn`*Created* ${text} ${code(text)}`),
    fields: fc.array(fc.record({ label: long, value: fc.oneof(long, long.map(code)) }), {
      maxLength: 12,
    }),
    context: long.map((text) => link("https://app.test", text)),
  });

  it("keeps every message within Slack's limits, and its data harmless", () => {
    fc.assert(
      fc.property(message, long, (given, organization) => {
        const content = layOut(given, {
          ...origin,
          organization,
          sender: organization,
          deliveryId: organization,
        });
        const texts = content.blocks.flatMap((block) => {
          if (block.type === "context") return block.elements.map(({ text }) => text);
          return "text" in block ? [block.text.text] : block.fields.map(({ text }) => text);
        });
        expect(validateBlocks(content.blocks)).toEqual([]);
        expect(content.blocks.length).toBeLessThanOrEqual(4);
        expect(content.text.length).toBeLessThanOrEqual(3_500);
        expect(content.text.length + texts.join("").length).toBeLessThanOrEqual(10_000);
        for (const text of [content.text, ...texts]) expect(residue(text)).not.toMatch(/[<>&]/);
      }),
      { numRuns: 200 },
    );
  });
});
