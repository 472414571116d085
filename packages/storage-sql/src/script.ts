/** What a statement can be given. Booleans are 0 and 1, objects are JSON text. */
export type Param = string | number | null;

/** SQL text with a `?` for each parameter, in order, and nowhere else. */
export interface Statement {
  readonly text: string;
  readonly params: readonly Param[];
}

export type Row = { readonly [column: string]: unknown };

/** What the database answered to a statement. */
export interface Reply {
  readonly rows: readonly Row[];
  /** How many rows it inserted, updated or deleted. */
  readonly affected: number;
}

export type MaybePromise<Value> = Value | Promise<Value>;

/**
 * What is to be said to a database, one statement after the other, each knowing the replies to
 * those before it. A script does not know who carries it: a synchronous driver plays it in one go,
 * so that nothing else in the process runs while it holds a lock; an asynchronous one awaits.
 */
export type Script<Result> = Generator<Statement, Result, Reply>;

/** The rows that a statement answers. */
export function* rowsOf(text: string, ...params: readonly Param[]): Script<readonly Row[]> {
  return (yield { text, params }).rows;
}

/** How many rows a statement changed. */
export function* change(text: string, ...params: readonly Param[]): Script<number> {
  return (yield { text, params }).affected;
}

/** Plays a script on a driver that answers at once. */
export function play<Result>(
  script: Script<Result>,
  execute: (statement: Statement) => Reply,
): Result {
  let step = script.next();
  while (!step.done) {
    let reply: Reply;
    try {
      reply = execute(step.value);
    } catch (error) {
      step = script.throw(error);
      continue;
    }
    step = script.next(reply);
  }
  return step.value;
}

/** Plays a script on a driver that answers later. */
export async function playAsync<Result>(
  script: Script<Result>,
  execute: (statement: Statement) => MaybePromise<Reply>,
): Promise<Result> {
  let step = script.next();
  while (!step.done) {
    let reply: Reply;
    try {
      reply = await execute(step.value);
    } catch (error) {
      step = script.throw(error);
      continue;
    }
    step = script.next(reply);
  }
  return step.value;
}
