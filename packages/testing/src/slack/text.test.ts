import { expect, test } from "vitest";
import { escapeText, linkUrls, splitText, truncateText } from "./text.ts";

test.each([
  [4_040, [4_040]],
  [4_041, [4_000, 41]],
  [8_001, [4_000, 4_000, 1]],
])("splits %i characters into messages of %j", (length, pieces) => {
  const split = splitText("x".repeat(length));
  expect(split.pieces.map((piece) => piece.length)).toEqual(pieces);
  expect(split.truncated).toBe(false);
});

test("cuts off what lies beyond 40,000 characters", () => {
  const split = splitText("x".repeat(40_001));
  expect(split.pieces).toHaveLength(10);
  expect(split.truncated).toBe(true);
  expect(truncateText("x".repeat(40_001))).toEqual({
    pieces: ["x".repeat(40_000)],
    truncated: true,
  });
  expect(truncateText("x".repeat(40_000)).truncated).toBe(false);
});

test("never cuts within a character", () => {
  const { pieces } = splitText("🚀".repeat(4_041));
  expect(pieces).toEqual(["🚀".repeat(4_000), "🚀".repeat(41)]);
});

test("escapes what is not escaped yet, and keeps tokens in mrkdwn only", () => {
  const text = "a & b &amp; <c> 1 < 2 <https://x.y?a=1&b=2|z>";
  expect(escapeText(text, { mrkdwn: true })).toBe(
    "a &amp; b &amp; <c> 1 &lt; 2 <https://x.y?a=1&amp;b=2|z>",
  );
  expect(escapeText("<c>", { mrkdwn: false })).toBe("&lt;c&gt;");
});

test("links bare URLs once", () => {
  expect(linkUrls("see https://a.b/c and <https://d.e>")).toBe(
    "see <https://a.b/c> and <https://d.e>",
  );
});
