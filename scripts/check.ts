import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Everything but the tests, in the order in which failures are quickest to understand. */
const steps: Readonly<Record<string, string>> = {
  types: "tsc && pnpm -r --filter './packages/*' exec tsc --noEmit",
  lint: "biome ci --colors=off --error-on-warnings .",
  docs: "node scripts/docs.ts --check",
  unused: "knip && knip --strict",
  build: "pnpm run build",
  publint: "pnpm -r --filter './packages/*' exec publint --strict",
  attw: "pnpm -r --filter './packages/*' exec attw --profile esm-only --pack .",
  packed: "node scripts/packed.ts",
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in steps));
if (unknown.length > 0) {
  console.error(`Unknown step ${unknown.join(", ")}. Steps: ${Object.keys(steps).join(", ")}`);
  process.exit(2);
}

const chosen = Object.entries(steps).filter(
  ([name]) => wanted.length === 0 || wanted.includes(name),
);
let failed = 0;
for (const [name, command] of chosen) {
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(command, {
    cwd: root,
    shell: true,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${status === 0 ? "✓" : "✗"} ${name} (${seconds} s)`);
  if (status === 0) continue;
  failed += 1;
  console.log(`${stdout}${stderr}\nRun it alone with: pnpm check ${name}\n`);
}
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
