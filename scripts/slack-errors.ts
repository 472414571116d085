import { meanings, type SlackError, slackErrors } from "../packages/handler-slack/src/errors.ts";

const consequences: Readonly<Record<SlackError["class"], string>> = {
  auth: "Every webhook that has the token pauses; each is switched off when it asks in vain.",
  scope: "The webhook is switched off; what waits is kept.",
  destination: "The webhook is switched off; what waits is kept.",
  message: "The message is posted as plain text; if that is refused too, its delivery ends alone.",
  bug: "The delivery ends alone.",
  rate: "Deliveries of the channel or the workspace wait, and spend no attempt.",
  transient: "The delivery is tried again.",
  ambiguous: "The message may be there: `on_ambiguous` says whether it is tried again.",
};

/** Every error that the Slack handler knows, by what it means, as lines of Markdown. */
export function slackErrorTable(): readonly string[] {
  const classes = Object.keys(meanings) as (keyof typeof meanings)[];
  const rows = classes.flatMap((name) => {
    const codes = Object.entries(slackErrors).filter(([, error]) => error.class === name);
    return [
      `| **${meanings[name]}** | ${consequences[name]} |`,
      ...codes.map(([code, { remedy }]) => `| \`${code}\` | ${remedy} |`),
    ];
  });
  return ["| Slack says | what to do |", "|---|---|", ...rows];
}
