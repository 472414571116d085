import { validateBlocks } from "@posthorn/testing/slack";
import { describe, expect, it } from "vitest";
import { layOut, type MessageContent, type Origin } from "./message.ts";
import { code, link, mrkdwn } from "./mrkdwn.ts";

const origin: Origin = {
  occurredAt: Date.UTC(2026, 0, 5, 14, 3),
  organization: "acme",
  deliveryId: "019b8e6a-0000-7000-8000-0123456789ab",
  attempt: 1,
  sender: null,
};

const textsOf = ({ blocks }: MessageContent): readonly string[] =>
  blocks.flatMap((block) => {
    if (block.type === "context") return block.elements.map(({ text }) => text);
    return "text" in block ? [block.text.text] : block.fields.map(({ text }) => text);
  });

describe("layOut", () => {
  it("makes a line, its fields and the small print, and says all of it in plain text too", () => {
    const content = layOut(
      {
        lead: mrkdwn`:pencil2: *Parameter updated* ${code("DB_HOST")} in ${code("web")}`,
        fields: [
          { label: "Changed", value: ["description", "secret"] },
          { label: "By", value: "Ana <Diaz>" },
        ],
        context: link("https://app.test/DB_HOST", "open"),
      },
      origin,
    );
    expect(content).toMatchInlineSnapshot(`
      {
        "blocks": [
          {
            "text": {
              "text": ":pencil2: *Parameter updated* \`DB_HOST\` in \`web\`",
              "type": "mrkdwn",
              "verbatim": true,
            },
            "type": "section",
          },
          {
            "fields": [
              {
                "text": "*Changed*
      description, secret",
                "type": "mrkdwn",
                "verbatim": true,
              },
              {
                "text": "*By*
      Ana &lt;Diaz&gt;",
                "type": "mrkdwn",
                "verbatim": true,
              },
            ],
            "type": "section",
          },
          {
            "elements": [
              {
                "text": "<!date^1767621780^{date_short_pretty} at {time}|2026-01-05 14:03 UTC> · acme · delivery \`…456789ab\` · <https://app.test/DB_HOST|open>",
                "type": "mrkdwn",
                "verbatim": true,
              },
            ],
            "type": "context",
          },
        ],
        "text": "Parameter updated DB_HOST in web
      Changed: description, secret
      By: Ana &lt;Diaz&gt;
      2026-01-05 14:03 UTC · acme · delivery …456789ab · open (https://app.test/DB_HOST)",
      }
    `);
  });

  it("has no fields block without fields", () => {
    expect(layOut({ lead: "Hello" }, origin).blocks.map(({ type }) => type)).toEqual([
      "section",
      "context",
    ]);
  });

  it("tells a repetition from a first attempt, and whose name Slack did not show", () => {
    const { text } = layOut({ lead: "Hello" }, { ...origin, attempt: 3, sender: "CloudTruth" });
    expect(text).toBe(
      "Hello\nCloudTruth · 2026-01-05 14:03 UTC · acme · delivery …456789ab · attempt 3 (retry)",
    );
  });

  it("says how many fields it does not show", () => {
    const fields = Array.from({ length: 14 }, (_, index) => ({ label: `F${index}`, value: index }));
    const { text } = layOut({ lead: "Hello", fields }, origin);
    expect(text).toContain("F8: 8\nNot shown: 5 more\n");
  });

  it("never leaves a text empty, which Slack refuses", () => {
    const content = layOut({ lead: " ", fields: [{ label: "", value: "" }] }, origin);
    expect(textsOf(content).slice(0, 2)).toEqual(["(no text)", "*—*\n—"]);
    expect(validateBlocks(content.blocks)).toEqual([]);
  });
});
