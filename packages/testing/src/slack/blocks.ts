import { isJsonObject, type JsonObject } from "./json.ts";
import {
  also,
  anything,
  boolean,
  byType,
  count,
  list,
  object,
  type Report,
  type Rule,
  string,
  union,
  word,
} from "./rule.ts";
import { escapedLength } from "./text.ts";

/**
 * What Slack says about a message's blocks, in its own words: `[]` if it takes them, else
 * sentences such as `must be less than 3001 characters [json-pointer:/blocks/0/text/text]`.
 *
 * The limits are those of Slack's Block Kit reference; the wording is that of real replies where
 * one is known. Interactive elements other than buttons, and the blocks `video`, `file`, `input`,
 * `call` and `context_actions`, are known by type and not looked into. Pure; never throws.
 */
export function validateBlocks(blocks: readonly unknown[], pointer = "/blocks"): readonly string[] {
  const findings: string[] = [];
  const report: Report = (sentence, at) => findings.push(`${sentence} [json-pointer:${at}]`);
  list(block, { min: 0, max: 50 })(blocks, pointer, report);
  const seen = new Set<string>();
  unique(blocks, pointer, seen, report);
  return findings;
}

/** Slack's budget for all text in the blocks of one message, in characters (measured by third parties). */
export const BLOCKS_BUDGET = 13_200;

/**
 * What the blocks cost of that budget: every text in its escaped length, and about 100 more for
 * each header (measured by third parties). Pure; never throws.
 */
export function blocksLength(blocks: readonly unknown[]): number {
  let length = 0;
  walk(blocks, (found) => {
    if (typeof found["text"] === "string") {
      const mrkdwn = found["type"] === "mrkdwn" || found["type"] === "markdown";
      length += escapedLength(found["text"], { mrkdwn });
    }
    if (found["type"] === "header") length += 100;
  });
  return length;
}

const blockId = string({ max: 255 });
const url = string({ max: 3_000 });
const actionId = string({ max: 255 });

function plainText(max: number): Rule {
  return object({
    required: {
      type: word("plain_text"),
      text: string({ max, measure: (text) => escapedLength(text, { mrkdwn: false }) }),
    },
    optional: { emoji: boolean },
  });
}

function mrkdwn(max: number): Rule {
  return object({
    required: {
      type: word("mrkdwn"),
      text: string({ max, measure: (text) => escapedLength(text, { mrkdwn: true }) }),
    },
    optional: { verbatim: boolean },
  });
}

function anyText(max: number): Rule {
  return union(byType({ plain_text: plainText(max), mrkdwn: mrkdwn(max) }));
}

const imageSource: Rule = (value, pointer, report) => {
  if (!isJsonObject(value)) return;
  const sources = [value["image_url"], value["slack_file"]].filter(
    (source) => source !== undefined,
  );
  if (sources.length === 0) report("missing required field: image_url", pointer);
  if (sources.length === 2) report("must define only one of `image_url` and `slack_file`", pointer);
};

const slackFile = union(object({ optional: { id: string({ max: 255 }), url } }));

const imageElement = also(
  object({
    required: { type: anything, alt_text: string({ max: 2_000 }) },
    optional: { image_url: url, slack_file: slackFile },
  }),
  imageSource,
);

const button = object({
  required: { type: anything, text: plainText(75) },
  optional: {
    action_id: actionId,
    url,
    value: string({ max: 2_000 }),
    style: word("primary", "danger"),
    confirm: object({
      required: {
        title: plainText(100),
        text: anyText(300),
        confirm: plainText(30),
        deny: plainText(30),
      },
      optional: { style: word("primary", "danger") },
    }),
    accessibility_label: string({ max: 75 }),
  },
});

const interactive = Object.fromEntries(
  [
    "static_select",
    "external_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "multi_static_select",
    "multi_external_select",
    "multi_users_select",
    "multi_conversations_select",
    "multi_channels_select",
    "overflow",
    "datepicker",
    "timepicker",
    "datetimepicker",
    "checkboxes",
    "radio_buttons",
    "workflow_button",
  ].map((type): [string, Rule] => [type, actionIdOnly]),
);

function actionIdOnly(value: unknown, pointer: string, report: Report): void {
  const id = (value as JsonObject)["action_id"];
  if (id !== undefined) actionId(id, `${pointer}/action_id`, report);
}

const style = object({
  optional: {
    bold: boolean,
    italic: boolean,
    strike: boolean,
    code: boolean,
    underline: boolean,
    highlight: boolean,
    client_highlight: boolean,
    unlink: boolean,
  },
});

const richText = {
  text: object({
    required: { type: anything, text: string({ max: 13_200 }) },
    optional: { style },
  }),
  link: object({
    required: { type: anything, url },
    optional: { text: string({ min: 0, max: 13_200 }), unsafe: boolean, style },
  }),
  emoji: object({
    required: { type: anything, name: string({ max: 255 }) },
    optional: { unicode: string({ max: 255 }), skin_tone: count, url, style },
  }),
  user: object({
    required: { type: anything, user_id: string({ max: 255 }) },
    optional: { style },
  }),
  usergroup: object({
    required: { type: anything, usergroup_id: string({ max: 255 }) },
    optional: { style },
  }),
  channel: object({
    required: { type: anything, channel_id: string({ max: 255 }) },
    optional: { style },
  }),
  broadcast: object({
    required: { type: anything, range: word("here", "channel", "everyone") },
    optional: { style },
  }),
  date: object({
    required: { type: anything, timestamp: count, format: string({ max: 255 }) },
    optional: { url, fallback: string({ max: 3_000 }), style },
  }),
  color: object({ required: { type: anything, value: string({ max: 255 }) }, optional: { style } }),
};

const richTextSection = object({
  required: { type: word("rich_text_section"), elements: list(byType(richText), { min: 0 }) },
});

const verbatimElements = list(byType({ text: richText.text, link: richText.link }), { min: 0 });

const richTextElement = byType({
  rich_text_section: richTextSection,
  rich_text_list: object({
    required: {
      type: anything,
      style: word("bullet", "ordered"),
      elements: list(richTextSection, { min: 0 }),
    },
    optional: { indent: count, offset: count, border: count },
  }),
  rich_text_preformatted: object({
    required: { type: anything, elements: verbatimElements },
    optional: { border: count, language: string({ max: 255 }) },
  }),
  rich_text_quote: object({
    required: { type: anything, elements: list(byType(richText), { min: 0 }) },
    optional: { border: count },
  }),
});

const richTextBlock = object({
  required: { type: anything, elements: list(richTextElement, { min: 0 }) },
  optional: { block_id: blockId },
});

const textOrFields: Rule = (value, pointer, report) => {
  if (!isJsonObject(value)) return;
  if (value["text"] === undefined && value["fields"] === undefined) {
    report("must define either `text` or `fields`", `${pointer}/type`);
  }
};

const block = byType({
  section: also(
    object({
      required: { type: anything },
      optional: {
        block_id: blockId,
        text: anyText(3_000),
        fields: list(anyText(2_000), { max: 10 }),
        accessory: byType({ ...interactive, image: imageElement, button }),
        expand: boolean,
      },
    }),
    textOrFields,
  ),
  header: object({
    required: { type: anything, text: plainText(150) },
    optional: { block_id: blockId },
  }),
  context: object({
    required: {
      type: anything,
      elements: list(
        byType({ image: imageElement, plain_text: anyText(3_000), mrkdwn: anyText(3_000) }),
        { max: 10 },
      ),
    },
    optional: { block_id: blockId },
  }),
  divider: object({ required: { type: anything }, optional: { block_id: blockId } }),
  actions: object({
    required: { type: anything, elements: list(byType({ ...interactive, button }), { max: 25 }) },
    optional: { block_id: blockId },
  }),
  image: also(
    object({
      required: { type: anything, alt_text: string({ max: 2_000 }) },
      optional: {
        block_id: blockId,
        image_url: url,
        slack_file: slackFile,
        title: plainText(2_000),
      },
    }),
    imageSource,
  ),
  markdown: object({
    required: { type: anything, text: string({ max: 12_000 }) },
    optional: { block_id: blockId },
  }),
  rich_text: richTextBlock,
  table: object({
    required: {
      type: anything,
      rows: list(
        list(
          byType({
            raw_text: object({ required: { type: anything, text: string({ max: 13_200 }) } }),
            rich_text: richTextBlock,
          }),
          { max: 20 },
        ),
        { max: 100 },
      ),
    },
    optional: { block_id: blockId, column_settings: list(anything, { max: 20 }) },
  }),
  video: anything,
  file: anything,
  input: anything,
  call: anything,
  context_actions: anything,
});

function unique(value: unknown, pointer: string, seen: Set<string>, report: Report): void {
  if (Array.isArray(value)) {
    for (const [index, member] of value.entries())
      unique(member, `${pointer}/${index}`, seen, report);
  } else if (isJsonObject(value)) {
    for (const name of ["block_id", "action_id"]) {
      const id = value[name];
      if (typeof id !== "string") continue;
      const key = `${name} ${id}`;
      if (seen.has(key)) report(`\`${name}\` "${id}" already exists`, `${pointer}/${name}`);
      seen.add(key);
    }
    for (const [name, member] of Object.entries(value)) {
      unique(member, `${pointer}/${name}`, seen, report);
    }
  }
}

function walk(value: unknown, visit: (found: JsonObject) => void): void {
  if (Array.isArray(value)) {
    for (const member of value) walk(member, visit);
  } else if (isJsonObject(value)) {
    visit(value);
    for (const member of Object.values(value)) walk(member, visit);
  }
}
