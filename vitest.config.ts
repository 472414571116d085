import { existsSync, globSync } from "node:fs";
import { basename } from "node:path";
import { defineConfig } from "vitest/config";

const folders = globSync(["packages/*", "examples/*", "benchmarks"]).filter((folder) =>
  existsSync(`${folder}/package.json`),
);

export default defineConfig({
  ssr: {
    resolve: { conditions: ["@posthorn/source", "module", "node", "development|production"] },
  },
  test: {
    globalSetup: "test/find-servers.ts",
    // No claim of speed: what hangs has to end on a busy machine, too.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    projects: ["test", "scripts", ...folders].map((root) => ({
      extends: true,
      root,
      test: {
        name: basename(root),
        include: ["**/*.test.ts"],
        typecheck: {
          enabled: globSync(`${root}/src/**/*.test-d.ts`).length > 0,
          tsconfig: "tsconfig.test.json",
        },
      },
    })),
  },
});
