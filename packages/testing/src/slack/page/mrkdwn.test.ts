import { describe, expect, it } from "vitest";
import { mrkdwnToHtml, textToLines } from "./mrkdwn.ts";

const shown = (text: string): string => mrkdwnToHtml(text).html;

describe("mrkdwnToHtml", () => {
  it.each([
    ["*bold* _italic_ ~struck~", "<strong>bold</strong> <em>italic</em> <s>struck</s>"],
    ["*bold `code`*", "<strong>bold <code>code</code></strong>"],
    ["`*not bold*`", "<code>*not bold*</code>"],
    ["2*3*4 snake_case_name", "2*3*4 snake_case_name"],
    ["one\ntwo", "one<br />two"],
    ["```\nblock\n```", "<pre>block\n</pre>"],
    [
      "<https://example.com/?a=1&amp;b=2|label>",
      '<a href="https://example.com/?a=1&amp;b=2" rel="noreferrer" target="_blank">label</a>',
    ],
    ["<!here>", '<span class="mention">!here</span>'],
    [
      "<!date^1767621780^{date_short_pretty} at {time}|2026-01-05 14:03 UTC>",
      '<time datetime="2026-01-05T14:03:00.000Z" data-form="long">2026-01-05 14:03 UTC</time>',
    ],
    [":unknown_emoji:", ":unknown_emoji:"],
    [":constructor:", ":constructor:"],
  ])("shows %j", (text, html) => {
    expect(shown(text)).toBe(html);
  });

  it("draws the emoji of webhooks' messages", () => {
    for (const name of ["heavy_plus_sign", "pencil2", "wastebasket", "wave"]) {
      expect(shown(`:${name}:`)).toMatch(new RegExp(`^<svg .*aria-label=":${name}:"`));
    }
  });

  it.each([
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<script>alert(1)</script>",
    "`<img src=x onerror=alert(1)>`",
    "<javascript:alert(1)|click>",
    '<https://example.com/"onclick="alert(1)|click>',
    '<!date^1^{date}|"><script>alert(1)</script>',
    '<!date^99999999999999999^{date}|"><script>alert(1)</script>',
    "*<b onmouseover=alert(1)>*",
  ])("lets no data become markup: %s", (text) => {
    const html = shown(text);
    expect(html).not.toMatch(/<(?!\/?(?:a|strong|code|time|span)\b)/);
    expect(html).not.toMatch(/<[^>]*\son\w+=|href="javascript:/);
  });
});

describe("textToLines", () => {
  it("formats nothing", () => {
    expect(textToLines("*one* `two`\n&lt;b&gt; <!here> :wave:").html).toBe(
      "*one* `two`<br />&lt;b&gt; &lt;!here&gt; :wave:",
    );
  });
});
