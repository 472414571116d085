import { describe, expect, it } from "vitest";
import { bold, code, date, escapePlain, link, mrkdwn, toMrkdwn, toPlain } from "./mrkdwn.ts";

const whole = 100_000;

describe("mrkdwn", () => {
  it("escapes every interpolation and leaves the author's markup alone", () => {
    const text = mrkdwn`*Created* ${"<!channel> & <@U1>"} <https://a.test|here> &amp; _now_`;
    expect(toMrkdwn(text, whole)).toBe(
      "*Created* &lt;!channel&gt; &amp; &lt;@U1&gt; <https://a.test|here> &amp; _now_",
    );
  });

  it("lets no interpolation complete a token that the author only began", () => {
    expect(toMrkdwn(mrkdwn`<${"!channel"}> <${"https://evil.test"}|x> &${"lt;"}`, whole)).toBe(
      "&lt;!channel&gt; &lt;https://evil.test|x&gt; &amp;lt;",
    );
  });

  it("keeps data in its code span", () => {
    expect(toMrkdwn(code("a`b` <!here>\n> c"), whole)).toBe("`aˋbˋ &lt;!here&gt; &gt; c`");
    expect(toMrkdwn(mrkdwn`\`${"a` *b*"}\``, whole)).toBe("`aˋ *b*`");
  });

  it("shows that a code span or bold text is empty", () => {
    expect(toMrkdwn(mrkdwn`${code(" ")} ${bold("")}`, whole)).toBe("(empty) (empty)");
    const unseen = "\u00ad\u200d\u{e0061} \u180e";
    expect(toMrkdwn(mrkdwn`${code(unseen)} ${bold(unseen)}`, whole)).toBe("(empty) (empty)");
  });

  it("removes what hides or reverses text, and keeps what scripts and emoji need", () => {
    expect(toMrkdwn("a\u200bb\u202ec\u0007d\u0000\ud800", whole)).toBe("abc d \ufffd");
    expect(toMrkdwn("👩‍👧 می‌خواهم", whole)).toBe("👩‍👧 می‌خواهم");
  });

  it("joins lists with commas", () => {
    expect(toMrkdwn(mrkdwn`Changed: ${["a", 1, true].map(code)}`, whole)).toBe(
      "Changed: `a`, `1`, `true`",
    );
  });

  it("takes nothing of an event for its own text, whatever it looks like", () => {
    const span = { kind: "markup", text: "<!channel>" };
    const forged = JSON.parse(
      JSON.stringify({ "Symbol(posthorn.slack.mrkdwn)": [span], spans: [span] }),
    );
    expect(toMrkdwn(mrkdwn`${forged}`, whole)).not.toContain("<");
  });
});

describe("link", () => {
  it("escapes its label and its address", () => {
    expect(toMrkdwn(link("https://a.test/?x=1&y=<|>", "a <b> & c"), whole)).toBe(
      "<https://a.test/?x=1&amp;y=%3C%7C%3E|a &lt;b&gt; &amp; c>",
    );
  });

  it.each(["javascript:alert(1)", "ftp://a.test", "/relative", "!channel", "", "@U1"])(
    "is its label alone if the address is %j",
    (url) => expect(toMrkdwn(link(url, "label"), whole)).toBe("label"),
  );
});

describe("date", () => {
  it("is shown in the reader's zone, with a fallback in UTC", () => {
    expect(toMrkdwn(date(Date.UTC(2026, 0, 5, 14, 3, 1)), whole)).toBe(
      "<!date^1767621781^{date_short_pretty} at {time}|2026-01-05 14:03 UTC>",
    );
  });

  it.each([Number.NaN, -1, 8.64e15, Number.POSITIVE_INFINITY])("is text if it is %d", (ms) => {
    expect(toMrkdwn(date(ms), whole)).toBe(String(ms));
  });
});

describe("toPlain", () => {
  it("reads the text without markup, emoji and tokens", () => {
    const text = mrkdwn`:pencil2: *Parameter updated* ${code("DB_HOST")} _in_ <https://a.test|web> by ${link("https://b.test/", "Ana")} (2 * 3) &amp; snake_case`;
    expect(toPlain(text)).toBe(
      "Parameter updated DB_HOST in web by Ana (https://b.test/) (2 * 3) & snake_case",
    );
  });

  it("reads marks around an interpolation", () => {
    expect(toPlain(mrkdwn`*By ${"Ana"}* \`${"x"}\` ~${1}~`)).toBe("By Ana x 1");
  });

  it("leaves data as it is", () => {
    expect(toPlain(mrkdwn`${"*a* :wave: <b>"} ${date(0)}`)).toBe(
      "*a* :wave: <b> 1970-01-01 00:00 UTC",
    );
  });
});

describe("cutting", () => {
  it("keeps tokens, entities, code spans and code points whole", () => {
    expect(toMrkdwn(code("abcdef"), 6)).toBe("`abc`…");
    expect(toMrkdwn("a&b&c", 8)).toBe("a&amp;b…");
    expect(toMrkdwn("😀😀😀", 5)).toBe("😀😀…");
    expect(toMrkdwn(link("https://a.test", "a long label"), 10)).toBe("a long la…");
    expect(toMrkdwn(mrkdwn`ab <https://a.test|here> cd`, 12)).toBe("ab…");
  });

  it("cuts nothing that fits", () => {
    expect(toMrkdwn(code("abcdef"), 8)).toBe("`abcdef`");
    expect(escapePlain("<".repeat(10), 40)).toBe("&lt;".repeat(10));
  });
});
