import { preset } from "../../tsup.preset.ts";

export default preset(
  "src/index.ts",
  "src/contract/index.ts",
  "src/slack/index.ts",
  "src/slack/cli.ts",
);
