import { defineConfig } from "tsup";

/** How every package is built; an entry `src/x/index.ts` becomes `dist/x/index.js`. */
export const preset = (...entry: string[]): ReturnType<typeof defineConfig> =>
  defineConfig({
    entry,
    format: "esm",
    target: "node22",
    dts: true,
    sourcemap: true,
    clean: true,
    // Without its "node:", node:sqlite would be a package of npm.
    removeNodeProtocol: false,
  });
