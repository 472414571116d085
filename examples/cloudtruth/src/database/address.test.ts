import { describe, expect, it } from "vitest";
import { databaseAddress } from "./address.ts";

describe("a database's URL", () => {
  it.each([
    ["file:a.db", "a.db"],
    ["file:./a.db", "./a.db"],
    ["sqlite:/tmp/a.db", "/tmp/a.db"],
    ["file:///tmp/a b.db", "/tmp/a b.db"],
  ])("%s is the file %s", (url, file) => {
    expect(databaseAddress(url)).toMatchObject({ file, name: file });
  });

  it("is shown without user and password", () => {
    expect(databaseAddress("postgres://ana:secret@db.example:5432/app?ssl=true")).toMatchObject({
      file: null,
      name: "postgres://db.example:5432/app",
    });
  });

  it.each([
    "",
    "cloudtruth.db",
    "mongodb://localhost/app",
    "postgres://ana:secret@[",
    "file:",
    "file::memory:",
  ])("cannot be %j, and is not repeated", (url) => {
    const read = (): unknown => databaseAddress(url);
    expect(read).toThrow(/^DATABASE_URL must be the URL of a database that lasts: file:/);
    expect(read).not.toThrow("secret");
  });
});
