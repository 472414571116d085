import type { World } from "./acme.ts";

/** Which statuses the API's own description has for a request; null if it has no such route. */
export async function documentedStatuses({
  ask,
}: World): Promise<(method: string, path: string) => readonly string[] | null> {
  const { paths } = (await ask("GET", "/openapi.json")).body;
  const routes = Object.entries<Record<string, { responses: object }>>(paths).map(
    ([template, operations]) => ({
      pattern: new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
      operations,
    }),
  );
  return (method, path) => {
    const [plain = ""] = path.split("?");
    // What is written out goes before what has a parameter, as in the document.
    const found = routes.find(({ pattern }) => pattern.test(plain));
    const operation = found?.operations[method.toLowerCase()];
    return operation === undefined ? null : Object.keys(operation.responses);
  };
}
