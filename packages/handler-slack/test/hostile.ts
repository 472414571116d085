import fc from "fast-check";

/** Anything that an event can hold, with a taste for what Slack would act upon. */
export const hostile: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom("<!channel>", "<@U1>", "<#C1|x>", "<https://evil.test|ok>", "&lt;", "&amp"),
      fc.constantFrom("<", ">", "&", "|", "`", "*", "_", "~", "\n", "\u202e", "😀", "\ud800", "^"),
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.string({ unit: "grapheme", maxLength: 20 }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));

/** What is left of a text without the tokens and the entities that are ours. */
export const residue = (text: string): string =>
  text
    .replace(/<!date\^\d+\^\{date_short_pretty\} at \{time\}\|[^<>]*>/g, "")
    .replace(/<https?:\/\/[^<>|\s]+\|[^<>]*>/g, "")
    .replace(/&(?:amp|lt|gt);/g, "");
