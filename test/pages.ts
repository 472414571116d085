import ts from "typescript";

/** What follows a mark such as `<!-- table: name -->` on a page. */
export interface Marked {
  readonly kind: string;
  readonly name: string;
  /** The table's rows with their head, or what is between the fences. */
  readonly lines: readonly string[];
}

const MARK = /^<!-- (?<kind>table|codes|output of): (?<name>\S+) -->$/;

/** Every table and output of a page that a test has an opinion on, in order. */
export function marked(page: string): readonly Marked[] {
  const lines = page.split("\n");
  return lines.flatMap((line, at) => {
    const { kind, name } = MARK.exec(line)?.groups ?? {};
    if (kind === undefined || name === undefined) return [];
    const rest = lines.slice(at + 1);
    const start = rest.findIndex((other) => other !== "");
    const isTable = rest[start]?.startsWith("|") ?? false;
    const first = isTable ? start : start + 1;
    const length = rest.slice(first).indexOf(isTable ? "" : "```");
    return [{ kind, name, lines: rest.slice(first, length < 0 ? undefined : first + length) }];
  });
}

/** The codes in a table's first column. */
export const codesOf = (table: readonly string[]): readonly string[] =>
  table.slice(2).map((row) => /^\| `(?<code>\w+)`/.exec(row)?.groups?.["code"] ?? row);

/** A table of Markdown. */
export const toTable = (
  head: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] =>
  [head, head.map(() => "---"), ...rows].map((cells) =>
    cells.every((cell) => cell === "---") ? `|${cells.join("|")}|` : `| ${cells.join(" | ")} |`,
  );

/** Every string that the type of this name allows, in the order of the source. */
export function literalsOf(source: string, type: string): readonly string[] {
  return every(declarationOf(source, type))
    .filter((node) => ts.isLiteralTypeNode(node))
    .flatMap(({ literal }) => (ts.isStringLiteral(literal) ? [literal.text] : []));
}

/** The names of an interface's own members, in the order of the source. */
export function membersOf(source: string, type: string): readonly string[] {
  const declaration = declarationOf(source, type);
  if (!ts.isInterfaceDeclaration(declaration)) throw new Error(`${type} is not an interface`);
  return declaration.members.map(({ name }) => name?.getText() ?? "");
}

function declarationOf(source: string, type: string): ts.Node {
  const file = ts.createSourceFile("source.ts", source, ts.ScriptTarget.ES2024, true);
  const found = file.statements.find(
    (node) =>
      (ts.isTypeAliasDeclaration(node) || ts.isInterfaceDeclaration(node)) &&
      node.name.text === type,
  );
  if (found === undefined) throw new Error(`The source declares no type ${type}`);
  return found;
}

function every(node: ts.Node): readonly ts.Node[] {
  const found: ts.Node[] = [node];
  node.forEachChild((child) => {
    found.push(...every(child));
  });
  return found;
}
