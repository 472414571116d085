import { basename } from "node:path";
import ts from "typescript";

/** What one file may not do, as sentences; empty if it keeps the rules. */
export function complaintsAboutFile(path: string, text: string): readonly string[] {
  const [, folder = ""] = /^packages\/([^/]+)\//.exec(path) ?? [];
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2024, true);
  const complaints = [
    ...siblings(folder, imports(source)),
    ...(folder === "core" && basename(path) !== "system.ts" ? clocksAndChance(source) : []),
  ];
  if (/^(utils?|helpers?|common|types)\b/.test(basename(path))) {
    complaints.push("is named after no noun or verb of the domain");
  }
  return complaints.map((complaint) => `${path} ${complaint}`);
}

/** What one package.json lacks, as sentences. */
export function complaintsAboutManifest(folder: string, manifest: Manifest): readonly string[] {
  const complaints: string[] = [];
  const required = {
    name: `@posthorn/${folder}`,
    license: "MIT",
    type: "module",
    sideEffects: false,
    files: ["dist"],
    engines: { node: ">=22.19" },
    publishConfig: { access: "public", exports: published(manifest.exports ?? {}) },
  };
  for (const [field, wanted] of Object.entries(required)) {
    const found = manifest[field as keyof typeof required];
    if (JSON.stringify(found) !== JSON.stringify(wanted)) {
      complaints.push(`has "${field}" other than ${JSON.stringify(wanted)}`);
    }
  }
  if (!manifest.description) complaints.push('has no "description"');
  for (const [entry, conditions] of Object.entries(manifest.exports ?? {})) {
    const order = Object.keys(conditions).join(", ");
    if (order !== "@posthorn/source, types, default") {
      complaints.push(`exports ${entry} with the conditions ${order}`);
    }
  }
  const needs = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  complaints.push(...siblings(folder, needs));
  if (isAdapter(folder) && manifest.peerDependencies?.["@posthorn/core"] === undefined) {
    complaints.push("does not have @posthorn/core as a peer dependency");
  }
  return complaints.map((complaint) => `packages/${folder}/package.json ${complaint}`);
}

export interface Manifest {
  readonly name?: string;
  readonly description?: string;
  readonly license?: string;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly files?: readonly string[];
  readonly engines?: Readonly<Record<string, string>>;
  readonly exports?: Exports;
  readonly publishConfig?: { readonly access: string; readonly exports: Exports };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

type Exports = Readonly<Record<string, Readonly<Record<string, string>>>>;

const isAdapter = (folder: string): boolean => /^(handler|storage|transport)-/.test(folder);

const published = (exports: Exports): Exports =>
  Object.fromEntries(
    Object.entries(exports).map(([entry, { "@posthorn/source": _, ...conditions }]) => [
      entry,
      conditions,
    ]),
  );

function siblings(folder: string, specifiers: readonly string[]): string[] {
  const named = specifiers.flatMap((specifier) => /^@posthorn\/[^/]+/.exec(specifier)?.[0] ?? []);
  const allowed = (name: string): boolean => {
    if (name === `@posthorn/${folder}`) return false;
    if (folder === "core") return false;
    if (isAdapter(folder)) return name === "@posthorn/core";
    if (folder === "cli") return true;
    return name !== "@posthorn/testing";
  };
  return named
    .filter((name) => !allowed(name))
    .map((name) => `needs ${name}, which is not below it`);
}

function imports(source: ts.SourceFile): readonly string[] {
  return every(source).flatMap((node) => {
    const specifier =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
            ? node.argument.literal
            : undefined;
    return specifier !== undefined && ts.isStringLiteral(specifier) ? [specifier.text] : [];
  });
}

const CLOCK_OR_CHANCE =
  /^((globalThis\.)?(Date\.now|performance\.now|Math\.random|AbortSignal\.timeout|process\.(hrtime|uptime)|setTimeout|setInterval|setImmediate|random(Bytes|Fill|FillSync|Int|UUID))|(.+\.)?crypto\.(random\w+|getRandomValues))$/;

function clocksAndChance(source: ts.SourceFile): string[] {
  const modules = imports(source)
    .filter((specifier) => /^(node:)?(timers|perf_hooks)\b/.test(specifier))
    .map((specifier) => `imports ${specifier}; only system.ts may`);
  const uses = every(source)
    .filter(
      (node) =>
        ((ts.isPropertyAccessExpression(node) || ts.isIdentifier(node)) &&
          CLOCK_OR_CHANCE.test(node.getText(source))) ||
        (ts.isNewExpression(node) &&
          node.expression.getText(source) === "Date" &&
          (node.arguments ?? []).length === 0) ||
        (ts.isCallExpression(node) && node.expression.getText(source) === "Date"),
    )
    .map((node) => {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      return `uses ${node.getText(source)} in line ${line + 1}; only system.ts may`;
    });
  return [...modules, ...uses];
}

function every(node: ts.Node): readonly ts.Node[] {
  const found: ts.Node[] = [node];
  node.forEachChild((child) => {
    found.push(...every(child));
  });
  return found;
}
