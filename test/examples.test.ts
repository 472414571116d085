import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const examples = globSync("examples/*/package.json", { cwd: root }).map(dirname);

/** The lines after `// Output:` at the end of a program, or null if it promises none. */
function promised(program: string): string | null {
  const [, block] = /(?:^|\n)\/\/ Output:\n((?:\/\/.*(?:\n|$))+)\s*$/.exec(program) ?? [];
  return block?.replace(/^\/\/ ?/gm, "").trim() ?? null;
}

describe("every example", () => {
  it.each(examples)(
    "%s prints what it promises, or has tests of its own",
    async (folder) => {
      const program = readFileSync(join(root, folder, "src/main.ts"), "utf8");
      const output = promised(program);
      if (output === null) {
        expect(program, "its `// Output:` is followed by nothing").not.toContain("// Output:");
        expect(globSync(`${folder}/src/**/*.test.ts`, { cwd: root })).not.toEqual([]);
        return;
      }
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--conditions=@posthorn/source", "src/main.ts"],
        { cwd: join(root, folder), timeout: 30_000 },
      );
      expect(stdout.trim()).toBe(output);
    },
    40_000,
  );
});

describe("promised", () => {
  it("reads the lines at the end of a program", () => {
    expect(promised("run();\n\n// Output:\n// one\n//\n// two\n")).toBe("one\n\ntwo");
  });

  it("promises nothing if code follows, or if there is no such block", () => {
    expect(promised("// Output:\n// one\nrun();\n")).toBeNull();
    expect(promised("run();\n")).toBeNull();
  });
});
