import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");
const scratch = mkdtempSync(join(tmpdir(), "posthorn-packed-"));
const run = (command: string, args: readonly string[], cwd = scratch): string =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
const write = (name: string, content: unknown): void =>
  writeFileSync(
    join(scratch, name),
    typeof content === "string" ? content : JSON.stringify(content, null, 2),
  );

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, unknown>>;
}

const packages = globSync("packages/*/package.json", { cwd: root })
  .map((path) => ({
    folder: join(root, dirname(path)),
    manifest: JSON.parse(readFileSync(join(root, path), "utf8")) as Manifest,
  }))
  .filter(({ manifest }) => !manifest.private);

try {
  const tarballs = Object.fromEntries(
    packages.map(({ folder, manifest }) => {
      const { filename } = JSON.parse(
        run("pnpm", ["pack", "--json", "--pack-destination", scratch], folder),
      ) as { filename: string };
      return [manifest.name, `file:${filename}`];
    }),
  );
  const entries = packages.flatMap(({ manifest }) =>
    Object.keys(manifest.exports).map((path) => manifest.name + path.slice(1)),
  );
  const imports = entries.map((entry, n) => `import * as entry${n} from "${entry}";`).join("\n");
  const exported = `export const all: readonly object[] = [${entries.map((_, n) => `entry${n}`)}];`;

  write("package.json", { name: "scratch", private: true, type: "module", dependencies: tarballs });
  write("pnpm-workspace.yaml", { overrides: tarballs });
  write("main.ts", `${imports}\n${exported}\n`);
  run("pnpm", ["install", "--prefer-offline", "--reporter=silent"]);

  const options = {
    strict: true,
    noEmit: true,
    target: "es2024",
    lib: ["es2024"],
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
    skipLibCheck: true,
  };
  const resolutions = { nodenext: "nodenext", bundler: "esnext" };
  for (const [moduleResolution, module] of Object.entries(resolutions)) {
    write("tsconfig.json", { compilerOptions: { ...options, module, moduleResolution } });
    run("tsc", ["--project", "."]);
  }
  run(process.execPath, ["main.ts"]);
  console.log(`${entries.length} entry points install, type-check and load: ${entries.join(", ")}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
