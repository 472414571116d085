import { type Logger, PosthornError } from "@posthorn/core";
import type { RestApiOptions, RestBus } from "./api.ts";

/** The options with every default in place, checked. */
export interface ResolvedOptions {
  readonly bus: RestBus;
  readonly authenticate: RestApiOptions["authenticate"];
  /** Without a slash at its end. */
  readonly basePath: string;
  /** Without a slash at its end. */
  readonly publicUrl: string | null;
  readonly maxBodyBytes: number;
  readonly challenge: string;
  /** Never throws. */
  readonly log: (level: keyof Logger, fields: object, message: string) => void;
}

const LARGEST_BODY = 262_144;

/** @throws PosthornError `invalid_options`, naming the option and what it may be */
export function resolveOptions(options: RestApiOptions): ResolvedOptions {
  const { bus, authenticate, challenge = "Api-Key", logger } = options;
  const { maxBodyBytes = LARGEST_BODY } = options;
  if (typeof bus?.subscriptions?.create !== "function") {
    throw invalid("bus is not an EventBus. Pass what createEventBus() answers.");
  }
  if (typeof authenticate !== "function") {
    throw invalid(
      "authenticate is missing. Without it anyone could read and change every organization's webhooks: pass a function that answers who makes a request, `{ organization }`, or null.",
    );
  }
  if (!Number.isSafeInteger(maxBodyBytes) || maxBodyBytes < 1) {
    throw invalid(`maxBodyBytes is ${String(maxBodyBytes)}. It must be a positive integer.`);
  }
  if (!/^[\x20-\x7e]+$/.test(challenge)) {
    throw invalid("challenge must be printable ASCII, such as `Bearer`: it becomes a header.");
  }
  return {
    bus,
    authenticate,
    basePath: checkBasePath(options.basePath ?? "/api/v1"),
    publicUrl: options.publicUrl === undefined ? null : checkPublicUrl(options.publicUrl),
    maxBodyBytes,
    challenge,
    log: (level, fields, message) => {
      try {
        logger?.[level](fields, message);
      } catch {
        // A logger that fails has nobody left to tell.
      }
    },
  };
}

function checkBasePath(basePath: string): string {
  if (/^(?:\/[A-Za-z0-9._~-]+)*\/?$/.test(basePath)) return basePath.replace(/\/$/, "");
  throw invalid(
    `basePath is ${JSON.stringify(basePath)}. It must begin with a slash and have letters, digits, ".", "_", "~" and "-" between slashes, such as "/api/v1".`,
  );
}

function checkPublicUrl(publicUrl: string): string {
  const url = URL.parse(publicUrl);
  const plain =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.username + url.password + url.search + url.hash === "";
  if (plain) return url.href.replace(/\/$/, "");
  throw invalid(
    "publicUrl must be an http or https URL without credentials, query and fragment, such as `https://api.example.com`.",
  );
}

const invalid = (message: string): PosthornError => new PosthornError("invalid_options", message);
