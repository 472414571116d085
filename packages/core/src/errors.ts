/** Every reason for which Posthorn throws. Codes are stable: hosts may branch on them. */
export type ErrorCode =
  | "async_schema"
  | "bus_stopped"
  | "conflict"
  | "delivery_not_pending"
  | "delivery_pending"
  | "handler_refused"
  | "idempotency_conflict"
  | "invalid_catalog"
  | "invalid_configuration"
  | "invalid_event"
  | "invalid_options"
  | "invalid_page"
  | "invalid_replay"
  | "invalid_subscription"
  | "missing_encryption_key"
  | "not_found"
  | "nothing_to_rotate"
  | "replay_ended"
  | "schema_mismatch"
  | "storage_full"
  | "storage_unavailable"
  | "subscription_deleted"
  | "sync_unsupported"
  | "too_many_secrets"
  | "unknown_event_type"
  | "unknown_handler_type"
  | "unknown_transaction"
  | "unreadable_secret";

/** One thing that is wrong with an input, and where. */
export interface Issue {
  /** Keys and indexes from the input's root, in the input's own (TypeScript) names. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** What kind of mistake it is, where callers may want to tell them apart. */
  readonly code: IssueCode;
}

export type IssueCode =
  | "duplicate"
  | "empty"
  | "invalid"
  | "too_large"
  | "unknown_event_type"
  | "unknown_handler_type"
  | "unknown_key";

/**
 * The one error class. Its message says what happened, to which thing, and what to do next;
 * it never contains a secret.
 */
export class PosthornError extends Error {
  override readonly name = "PosthornError";
  /** Marks it across copies of this package; see {@link isPosthornError}. */
  readonly isPosthornError = true;
  readonly code: ErrorCode;
  readonly issues: readonly Issue[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly issues?: readonly Issue[]; readonly cause?: unknown } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.issues = options.issues ?? [];
  }
}

/** Is it a {@link PosthornError} (with this code)? Tests a brand, so that two copies of core agree. */
export function isPosthornError(error: unknown, code?: ErrorCode): error is PosthornError {
  return (
    typeof error === "object" &&
    error !== null &&
    (error as Partial<PosthornError>).isPosthornError === true &&
    (code === undefined || (error as PosthornError).code === code)
  );
}

/** An error whose message lists its issues, each with its place. */
export function issuesError(
  code: ErrorCode,
  subject: string,
  issues: readonly Issue[],
): PosthornError {
  const listed = issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`,
  );
  return new PosthornError(code, `${subject}: ${listed.join("; ")}`, { issues });
}
