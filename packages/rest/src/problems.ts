import { type ErrorCode, type Issue, isPosthornError } from "@posthorn/core";
import { jsonPointer, wirePath } from "./wire.ts";

/** One thing that is wrong with a request, and where. */
export interface ProblemError {
  /** Where in the body, as a JSON pointer (RFC 6901). */
  readonly pointer?: string;
  /** Which query parameter. */
  readonly parameter?: string;
  readonly code: string;
  readonly detail: string;
}

/** Every problem that the API answers. */
export type ProblemCode =
  | "conflict"
  | "delivery_not_pending"
  | "delivery_pending"
  | "duplicate_field"
  | "forbidden"
  | "handler_refused"
  | "idempotency_conflict"
  | "internal_error"
  | "invalid_body"
  | "invalid_configuration"
  | "invalid_cursor"
  | "invalid_idempotency_key"
  | "invalid_page"
  | "invalid_query"
  | "invalid_replay"
  | "invalid_request"
  | "invalid_webhook"
  | "malformed_json"
  | "method_not_allowed"
  | "not_found"
  | "nothing_to_rotate"
  | "organization_mismatch"
  | "payload_too_large"
  | "replay_ended"
  | "too_deep"
  | "too_many_secrets"
  | "type_immutable"
  | "unauthenticated"
  | "unavailable"
  | "unknown_event_type"
  | "unknown_path"
  | "unknown_type"
  | "unsupported_media_type"
  | "webhook_deleted";

/** What an answer that is not a success says: RFC 9457, `application/problem+json`. */
export interface ProblemBody {
  /** `urn:problem-type:posthorn:` and the code. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** Stable: clients may branch on it. */
  readonly code: ProblemCode;
  /** What happened, to which thing, and what to do next. */
  readonly detail: string;
  /** Names the log line of an unexpected failure. */
  readonly reference?: string;
  readonly errors?: readonly ProblemError[];
}

/** The status and title of each problem and, where one text fits all, its detail. */
const problems: Readonly<
  Record<ProblemCode, { readonly status: number; readonly title: string; readonly detail?: string }>
> = {
  invalid_request: { status: 400, title: "The request cannot be read" },
  malformed_json: { status: 400, title: "The body is not JSON" },
  invalid_body: { status: 400, title: "The body is not a JSON object" },
  too_deep: { status: 400, title: "The body is nested too deeply" },
  duplicate_field: { status: 400, title: "The body gives a field twice" },
  invalid_query: { status: 400, title: "The query is not valid" },
  invalid_page: { status: 400, title: "The page is not valid" },
  invalid_cursor: {
    status: 400,
    title: "The cursor is not valid",
    detail:
      "The cursor does not belong to this list. Follow `next` and `previous` as they are, or leave `cursor` out to begin anew.",
  },
  invalid_idempotency_key: { status: 400, title: "The idempotency key is not valid" },
  unauthenticated: {
    status: 401,
    title: "Authentication is required",
    detail: "The request has no valid credentials. Send them in the Authorization header.",
  },
  forbidden: { status: 403, title: "The credentials do not allow this" },
  organization_mismatch: {
    status: 403,
    title: "The organization is not yours",
    detail:
      "`organization` is not the organization of the credentials. Leave it out: it is inferred.",
  },
  not_found: {
    status: 404,
    title: "Not found",
    detail: "Nothing of this organization is here. Check the id and the credentials.",
  },
  unknown_path: { status: 404, title: "Unknown path" },
  method_not_allowed: { status: 405, title: "The method is not allowed" },
  conflict: {
    status: 409,
    title: "The webhook is being changed",
    detail: "Others are changing this webhook at the same time. Try again.",
  },
  delivery_pending: {
    status: 409,
    title: "The delivery is pending",
    detail:
      "This delivery has not ended yet: it will be tried anyway. Cancel it first to repeat it now.",
  },
  delivery_not_pending: {
    status: 409,
    title: "The delivery has ended",
    detail: "This delivery has already ended: there is nothing to cancel.",
  },
  idempotency_conflict: {
    status: 409,
    title: "The idempotency key is taken",
    detail:
      "A webhook was created with this Idempotency-Key and another body. Use a new key for a new webhook.",
  },
  replay_ended: {
    status: 409,
    title: "The replay has ended",
    detail: "This replay has already ended: there is nothing to cancel.",
  },
  nothing_to_rotate: {
    status: 409,
    title: "There is nothing to rotate",
    detail:
      "Webhooks of this type have no secret that is made here. Change the configuration instead.",
  },
  too_many_secrets: {
    status: 409,
    title: "There are too many secrets",
    detail:
      "Three secrets of this webhook are good, the most there may be. Revoke the previous ones first.",
  },
  type_immutable: { status: 409, title: "The type cannot change" },
  webhook_deleted: {
    status: 409,
    title: "The webhook was deleted",
    detail: "The webhook of this delivery was deleted: there is nowhere to deliver to.",
  },
  payload_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The media type is not supported" },
  invalid_webhook: { status: 422, title: "The webhook is not valid" },
  invalid_replay: { status: 422, title: "The replay is not valid" },
  invalid_configuration: { status: 422, title: "The configuration is not valid" },
  handler_refused: { status: 422, title: "The destination refuses the configuration" },
  unknown_event_type: { status: 422, title: "Unknown event type" },
  unknown_type: { status: 422, title: "Unknown type" },
  internal_error: { status: 500, title: "Something went wrong" },
  unavailable: {
    status: 503,
    title: "Not available now",
    detail: "The database cannot be reached, or has no room. Nothing was changed. Try again later.",
  },
};

/** What an answer with this status may be, for those who read about it. */
export function describedProblems(status: number): {
  readonly title: string;
  readonly description: string;
  readonly example: ProblemBody;
} {
  const entries = Object.entries(problems).filter(([, problem]) => problem.status === status);
  const [first] = entries;
  if (first === undefined) throw new TypeError(`No problem is answered with ${status}.`);
  const [code, { title, detail = `${title}.` }] = first;
  return {
    title,
    description: entries.map(([each, { title }]) => `${title} (\`${each}\`)`).join("; "),
    example: {
      type: `urn:problem-type:posthorn:${code}`,
      title,
      status,
      code: code as ProblemCode,
      detail,
    },
  };
}

export const problemCodes = Object.keys(problems) as readonly ProblemCode[];

/** What each error of the bus is to a client; what a client cannot mend is an internal error. */
const problemOf: Readonly<Record<ErrorCode, ProblemCode>> = {
  async_schema: "internal_error",
  bus_stopped: "internal_error",
  conflict: "conflict",
  delivery_not_pending: "delivery_not_pending",
  delivery_pending: "delivery_pending",
  handler_refused: "handler_refused",
  idempotency_conflict: "idempotency_conflict",
  invalid_catalog: "internal_error",
  invalid_configuration: "invalid_configuration",
  invalid_event: "internal_error",
  invalid_options: "internal_error",
  invalid_page: "invalid_page",
  invalid_subscription: "invalid_webhook",
  missing_encryption_key: "internal_error",
  invalid_replay: "invalid_replay",
  not_found: "not_found",
  nothing_to_rotate: "nothing_to_rotate",
  replay_ended: "replay_ended",
  schema_mismatch: "internal_error",
  storage_full: "unavailable",
  storage_unavailable: "unavailable",
  subscription_deleted: "webhook_deleted",
  sync_unsupported: "internal_error",
  too_many_secrets: "too_many_secrets",
  unknown_event_type: "unknown_event_type",
  unknown_handler_type: "unknown_type",
  unknown_transaction: "internal_error",
  unreadable_secret: "internal_error",
};

/** An answer that is not a success, thrown from wherever it is noticed. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors: readonly ProblemError[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ProblemCode,
    options: {
      readonly detail?: string;
      readonly errors?: readonly ProblemError[];
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    const known = problems[code];
    const { errors = [], headers = {} } = options;
    const detail = options.detail ?? known.detail ?? (list(errors) || `${known.title}.`);
    super(detail);
    this.code = code;
    this.detail = detail;
    this.errors = errors;
    this.headers = headers;
  }
}

/** What was thrown, if it is something to tell a client; null for failures of our own. */
export function problemFrom(thrown: unknown): Problem | null {
  if (thrown instanceof Problem) return thrown;
  if (!isPosthornError(thrown)) return null;
  const code = problemOf[thrown.code] ?? "internal_error";
  return code === "internal_error"
    ? null
    : new Problem(code, { errors: thrown.issues.map(toError) });
}

/** The answer to a request that failed: `no-store`, as every answer. */
export function problemResponse(
  { code, detail, errors, headers }: Problem,
  extra: { readonly reference?: string } = {},
): Response {
  const { status, title } = problems[code];
  const body: ProblemBody = {
    type: `urn:problem-type:posthorn:${code}`,
    title,
    status,
    code,
    detail,
    ...extra,
    ...(errors.length === 0 ? {} : { errors: errors.slice(0, MOST_ERRORS) }),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...answerHeaders, "content-type": "application/problem+json", ...headers },
  });
}

/** Answers hold what others must not see, and are never to be guessed at. */
export const answerHeaders = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

const MOST_ERRORS = 20;
/** The bus quotes what it does not know, as long as that may be. */
const LONGEST_DETAIL = 1_000;

const toError = ({ path, code, message }: Issue): ProblemError => ({
  pointer: jsonPointer(wirePath(path)),
  code: code === "unknown_handler_type" ? "unknown_type" : code,
  detail:
    message.length <= LONGEST_DETAIL
      ? message
      : `${message.slice(0, LONGEST_DETAIL - 1).toWellFormed()}…`,
});

function list(errors: readonly ProblemError[]): string {
  const more = errors.length - MOST_ERRORS;
  const listed = errors
    .slice(0, MOST_ERRORS)
    .map(({ pointer, parameter, detail }) => `${parameter ?? pointer}: ${detail}`);
  return [...listed, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}
