import { existsSync, globSync } from "node:fs";
import { basename } from "node:path";
import { defineConfig } from "vitest/config";

const folders = globSync(["packages/*", "examples/*"]).filter((folder) =>
  existsSync(`${folder}/package.json`),
);

export default defineConfig({
  ssr: {
    resolve: { conditions: ["@posthorn/source", "module", "node", "development|production"] },
  },
  test: {
    globalSetup: "test/find-servers.ts",
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
