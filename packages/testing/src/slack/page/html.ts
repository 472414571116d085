/** HTML that is safe to send: what was interpolated into it is escaped, unless it is HTML itself. */
export interface Html {
  readonly html: string;
}

type Content = Html | string | number | readonly Content[];

/** HTML from literal parts, which are markup, and interpolations, which are text. */
export function html(literals: TemplateStringsArray, ...contents: readonly Content[]): Html {
  const parts = literals.map((literal, index) => literal + toHtml(contents[index] ?? ""));
  return { html: parts.join("") };
}

function toHtml(content: Content): string {
  if (isList(content)) return content.map(toHtml).join("");
  return typeof content === "object" ? content.html : escaped(String(content));
}

const isList = (content: Content): content is readonly Content[] => Array.isArray(content);

const escaped = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
