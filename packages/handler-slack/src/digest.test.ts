import { validateBlocks } from "@posthorn/testing/slack";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostile, residue } from "../test/hostile.ts";
import { type DigestItem, layOutDigest } from "./digest.ts";
import type { MessageContent } from "./message.ts";
import { code, mrkdwn } from "./mrkdwn.ts";

const T = Date.UTC(2026, 0, 5, 14, 3);

function itemOf(index: number, more: Partial<DigestItem> = {}): DigestItem {
  return {
    type: "parameter_updated",
    message: { lead: mrkdwn`:pencil2: *Parameter updated* ${code(`P${index}`)}` },
    origin: {
      occurredAt: T + index * 1_000,
      organization: "acme",
      deliveryId: `019b8e6a-0000-7000-8000-${String(index).padStart(12, "0")}`,
      attempt: 1,
      sender: null,
    },
    ...more,
  };
}

const digestOf = (count: number, more?: (index: number) => Partial<DigestItem>): MessageContent =>
  layOutDigest(
    Array.from({ length: count }, (_, index) => itemOf(index + 1, more?.(index + 1))) as [
      DigestItem,
      ...DigestItem[],
    ],
  );

const textsOf = ({ blocks }: MessageContent): readonly string[] =>
  blocks.flatMap((block) => {
    if (block.type === "context") return block.elements.map(({ text }) => text);
    return "text" in block ? [block.text.text] : block.fields.map(({ text }) => text);
  });

describe("a digest", () => {
  it("counts its events, has a line for each, and says from when to when and from which delivery on", () => {
    const content = digestOf(3);
    expect(textsOf(content)).toEqual([
      "3 events in acme",
      "• :pencil2: *Parameter updated* `P1`\n• :pencil2: *Parameter updated* `P2`\n• :pencil2: *Parameter updated* `P3`",
      "<!date^1767621781^{date_short_pretty} at {time}|2026-01-05 14:03 UTC> to <!date^1767621783^{date_short_pretty} at {time}|2026-01-05 14:03 UTC> · acme · deliveries `…00000001` to `…00000003`",
    ]);
    expect(content.text).toBe(
      "3 events in acme\n• Parameter updated P1\n• Parameter updated P2\n• Parameter updated P3\n2026-01-05 14:03 UTC to 2026-01-05 14:03 UTC · acme · deliveries …00000001 to …00000003",
    );
  });

  it("puts what belongs together in one place, by type within, in the order of appearance", () => {
    const groups = ["web", "api"];
    const types = ["parameter_updated", "value_created"];
    const content = digestOf(6, (index) => ({
      type: types[Math.floor(index / 2) % 2] ?? "",
      message: { lead: `${index}`, group: groups[index % 2] },
    }));
    expect(textsOf(content).slice(1, 3)).toEqual(["*api*\n• 1\n• 5\n• 3", "*web*\n• 2\n• 6\n• 4"]);
  });

  it("has what belongs to nothing come first, so that it does not seem to belong to another", () => {
    const groups = ["2", undefined, "1", " "];
    const content = digestOf(4, (index) => ({
      message: { lead: `e${index}`, group: groups[index - 1] },
    }));
    expect(textsOf(content).slice(1, 4)).toEqual(["• e2\n• e4", "*2*\n• e1", "*1*\n• e3"]);
  });

  it("counts what there is no room for, by type", () => {
    const content = digestOf(27, (index) => (index > 22 ? { type: "value_created" } : {}));
    const texts = textsOf(content);
    expect(texts.join("\n").match(/•/g)).toHaveLength(20);
    expect(texts.at(-2)).toBe("…and 7 more: 2 × Parameter updated, 5 × Value created");
    expect(content.text).toContain("\n…and 7 more: 2 × Parameter updated, 5 × Value created\n");
  });

  it("has ten lines in a section at most, and says its group once", () => {
    const content = digestOf(15, (index) => ({ message: { lead: `${index}`, group: "web" } }));
    const lines = textsOf(content)
      .slice(1, 3)
      .map((text) => text.split("\n"));
    expect(lines.map(({ length }) => length)).toEqual([11, 5]);
    expect(lines.flat().filter((line) => line === "*web*")).toHaveLength(1);
  });

  it("keeps within Slack's limits and mentions nobody, whatever its events hold", () => {
    const long = fc.tuple(hostile, fc.integer({ min: 1, max: 40 })).map(([t, n]) => t.repeat(n));
    const item = fc.record({
      type: fc.oneof(fc.constantFrom("a_created", "b_updated"), hostile),
      lead: long,
      group: fc.option(long, { nil: undefined }),
      organization: long,
    });
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 50 }), (items) => {
        const content = layOutDigest(
          items.map(({ type, lead, group, organization }, index) => {
            const { origin } = itemOf(index);
            const message = { lead: mrkdwn`*Created* ${lead} ${code(lead)}`, group };
            return { type, message, origin: { ...origin, organization, sender: organization } };
          }) as unknown as [DigestItem, ...DigestItem[]],
        );
        const texts = textsOf(content);
        expect(validateBlocks(content.blocks)).toEqual([]);
        expect(content.blocks.length).toBeLessThanOrEqual(50);
        expect(content.text.length).toBeLessThanOrEqual(3_500);
        expect(texts.join("").length).toBeLessThanOrEqual(10_000);
        for (const text of [content.text, ...texts]) expect(residue(text)).not.toMatch(/[<>&]/);
      }),
      { numRuns: 100 },
    );
  });
});
