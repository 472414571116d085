import { isJsonObject, type JsonObject } from "./json.ts";
import { invalidArguments, type Method } from "./method.ts";
import { stringArgument } from "./post-message.ts";
import { Refusal } from "./refusal.ts";
import { anything, boolean, count, list, object, type Rule, string } from "./rule.ts";

/**
 * `apps.manifest.validate`, with an app configuration token. It looks at the parts that an app
 * without a server of its own has, and lets the others (`workflows`, `functions`, …) pass.
 */
export const validateManifest: Method = {
  acceptedScopes: [],
  kinds: ["config"],
  run({ values }) {
    const text = values["manifest"];
    const manifest = isJsonObject(text) ? text : parsed(stringArgument(values, "manifest"));
    const errors = manifestErrors(manifest);
    if (errors.length > 0) throw new Refusal("invalid_manifest", { errors });
    return {};
  },
};

function parsed(text: string | undefined): unknown {
  if (text === undefined) throw invalidArguments("missing required field: manifest");
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal("invalid_manifest", {
      errors: [{ message: "must be valid JSON", pointer: "/" }],
    });
  }
}

/** What is wrong with an app's manifest, and where. Pure; never throws. */
function manifestErrors(manifest: unknown): readonly JsonObject[] {
  const errors: JsonObject[] = [];
  rule(manifest, "", (message, pointer) => errors.push({ message, pointer: pointer || "/" }));
  return errors;
}

const scopes = list(string({ max: 50 }), { min: 0, max: 255 });

const colour: Rule = (value, pointer, report) => {
  if (typeof value === "string" && /^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(value)) return;
  report("must be a colour such as #36c or #3366cc", pointer);
};

const rule = object({
  required: {
    display_information: object({
      required: { name: string({ max: 35 }) },
      optional: {
        description: string({ max: 140 }),
        long_description: string({ min: 175, max: 4_000 }),
        background_color: colour,
      },
    }),
  },
  optional: {
    _metadata: object({ optional: { major_version: count, minor_version: count } }),
    features: object({
      optional: {
        bot_user: object({
          required: { display_name: string({ max: 80 }) },
          optional: { always_online: boolean },
        }),
        app_home: anything,
        assistant_view: anything,
        shortcuts: anything,
        slash_commands: anything,
        unfurl_domains: anything,
        workflow_steps: anything,
      },
    }),
    oauth_config: object({
      optional: {
        scopes: object({
          optional: { bot: scopes, user: scopes, bot_optional: scopes, user_optional: scopes },
        }),
        redirect_urls: list(string({ max: 2_000 }), { min: 0, max: 1_000 }),
        token_management_enabled: boolean,
        pkce_enabled: boolean,
      },
    }),
    settings: object({
      optional: {
        org_deploy_enabled: boolean,
        socket_mode_enabled: boolean,
        token_rotation_enabled: boolean,
        is_mcp_enabled: boolean,
        function_runtime: anything,
        incoming_webhooks: object({ optional: { incoming_webhooks_enabled: boolean } }),
        allowed_ip_address_ranges: anything,
        event_subscriptions: anything,
        interactivity: anything,
      },
    }),
    functions: anything,
    workflows: anything,
    outgoing_domains: anything,
    datastores: anything,
    types: anything,
    external_auth_providers: anything,
  },
});
