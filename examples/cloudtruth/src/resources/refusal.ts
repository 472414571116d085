/** An answer of 4xx, in the shapes of CloudTruth's API. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: 400 | 401 | 404 | 405 | 409 | 413 | 415;
  readonly body: RefusalBody;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: Refusal["status"],
    body: RefusalBody,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(JSON.stringify(body));
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** `{ "detail": "…" }`, or what is wrong by field; `__all__` for several fields together. */
export type RefusalBody =
  | { readonly detail: string }
  | { readonly [field: string]: readonly string[] };

export const invalid = (field: string, message: string): Refusal =>
  new Refusal(400, { [field]: [message] });

export const conflict = (detail: string): Refusal => new Refusal(409, { detail });

/** Of other organizations' rows nobody learns that they exist. */
export const notFound = (detail = "Not found."): Refusal => new Refusal(404, { detail });
