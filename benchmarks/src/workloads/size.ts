import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import type { Contestant, Workload } from "../workload.ts";

const CORE = "@posthorn/core";

export const size: Workload = {
  name: "size",
  about: "cold import of @posthorn/core, and what it weighs",
  contests: () => [
    {
      title: "a cold import",
      columns: ["ms to import", "kB min+gzip", "of which its own kB"],
      better: "less",
      baseline: CORE,
      rows: [CORE, "pg-boss", "graphile-worker", "bullmq"].map(
        (name): Contestant => ({
          name,
          note: "bundled with esbuild, all dependencies in it",
          run: async () => {
            const whole = await bundled(name, false);
            const own = await bundled(name, true);
            return [coldMs(whole.plain), whole.kB, own.kB];
          },
        }),
      ),
    },
  ],
};

interface Bundle {
  readonly plain: string;
  readonly kB: number;
}

/** With everything it depends on in it, or with none of it. */
async function bundled(name: string, isAlone: boolean): Promise<Bundle> {
  const make = async (minify: boolean): Promise<string> => {
    const { outputFiles } = await build({
      stdin: { contents: `export * from "${name}";`, resolveDir: import.meta.dirname },
      bundle: true,
      minify,
      write: false,
      platform: "node",
      format: "esm",
      conditions: ["@posthorn/source"],
      // What CommonJS inside a module needs.
      banner: {
        js: 'import { createRequire as $require } from "node:module"; const require = $require(import.meta.url);',
      },
      logLevel: "error",
      external: ["pg-native", "redis", "bullmq-otel", "cloudflare:sockets", "bun"],
      plugins: isAlone
        ? [
            {
              name: "without dependencies",
              setup: ({ onResolve }) => {
                onResolve({ filter: /^[^./]/ }, ({ path, importer }) =>
                  path === name || importer === "" || importer === "<stdin>"
                    ? undefined
                    : { path, external: true },
                );
              },
            },
          ]
        : [],
    });
    return outputFiles[0]?.text ?? "";
  };
  return { plain: await make(false), kB: gzipSync(await make(true)).length / 1_000 };
}

function coldMs(text: string): number {
  const folder = mkdtempSync(join(tmpdir(), "posthorn-bench-"));
  try {
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(join(folder, "bundle.js"), text);
    const program =
      'const begun = performance.now(); await import("./bundle.js"); console.log(performance.now() - begun); process.exit();';
    return Number(
      execFileSync(process.execPath, ["--input-type=module", "--eval", program], {
        cwd: folder,
        encoding: "utf8",
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
