import { isPosthornError, type Storage } from "@posthorn/core";
import { type Asked, httpWebhook, type World } from "../../packages/rest/test/acme.ts";

/** One bad input, or several of a kind, and what becomes of each. */
export interface BadInput {
  /** Where it is in the list of what can go wrong; several cases may share one. */
  readonly id: string;
  readonly name: string;
  /** What it must come to, as {@link asked} and {@link thrown} write it. */
  readonly expected: string | RegExp;
  /** What it comes to: one text, or one for each input. The storage is the world's. */
  run(world: World, storage: Storage): Promise<string | readonly string[]>;
}

export const badInput = (
  id: string,
  name: string,
  expected: BadInput["expected"],
  run: BadInput["run"],
): BadInput => ({ id, name, expected, run });

/** A request's end: its status, its code and the first place that it names. */
export async function asked(
  { ask }: World,
  method: string,
  path: string,
  given?: Asked,
): Promise<string> {
  const { status, body } = await ask(method, path, given);
  const [error] = body?.errors ?? [];
  return [status, body?.code, error?.pointer ?? error?.parameter]
    .filter((part) => part !== undefined)
    .join(" ");
}

/** Creates a webhook of type `http`, with these fields and this configuration. */
export const creating = (
  world: World,
  configuration: object = {},
  fields: object = {},
): Promise<string> =>
  asked(world, "POST", "/webhooks/", {
    body: {
      ...httpWebhook,
      ...fields,
      configuration: { ...httpWebhook.configuration, ...configuration },
    },
  });

/** The code of what is thrown; `ok` if nothing is. */
export async function thrown(act: () => unknown): Promise<string> {
  try {
    await act();
    return "ok";
  } catch (error) {
    if (isPosthornError(error)) return error.code;
    return error instanceof Error ? error.name : "something else";
  }
}

/** The same of each input. */
export const each = <Input>(
  inputs: readonly Input[],
  act: (input: Input) => Promise<string>,
): Promise<readonly string[]> =>
  inputs.reduce<Promise<readonly string[]>>(
    async (before, input) => [...(await before), await act(input)],
    Promise.resolve([]),
  );
