import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { catalog } from "./catalog.ts";
import { baseUrl, type Rehearsal, rehearse } from "./rehearsal.ts";
import { playTour, type Stage } from "./tour.ts";

let example: Rehearsal;
let said: string[];
beforeEach(async () => {
  example = await rehearse();
  said = [];
});
afterEach(() => example.stop());

const stage = (workspace = example.workspaces[0]): Stage => ({
  baseUrl,
  workspace: workspace as NonNullable<typeof workspace>,
  slack: example.slack,
  request: example.fetch,
  until: async (posted) => {
    for (let seconds = 0; seconds < 3 && !posted(); seconds += 1) await example.advance(1_000);
  },
  say: (line) => said.push(line),
});

describe("the tour", () => {
  it("sees all twelve messages arrive as their snapshots say", async () => {
    expect(await playTour(stage()), said.join("\n")).toBe(true);
    for (const eventType of Object.keys(catalog)) expect(said).toContain(`✓ ${eventType}\n`);
    expect(said.at(-1)).toBe(
      "12 of 12 messages arrived in #config-changes as their snapshots say.",
    );
  });

  it("can be played again in the same database", async () => {
    expect(await playTour(stage()), said.join("\n")).toBe(true);
    expect(await playTour(stage()), said.join("\n")).toBe(true);
  });

  it("puts no value into events, Slack messages or logs", async () => {
    await playTour(stage());
    const { items } = await example.bus.events.list({ organization: "acme", limit: 100 });
    expect(items).toHaveLength(12);
    const everywhere = JSON.stringify([items, example.slack.requests, example.logged]);
    for (const value of ["db-1.internal", "db-2.internal"]) {
      expect(said.join("\n")).toContain(value);
      expect(everywhere).not.toContain(value);
    }
  });

  it("fails, showing the difference, when a message is not as its snapshot says", async () => {
    expect(await playTour(stage(example.workspaces[1]))).toBe(false);
    const [difference] = said.filter((line) => line.startsWith("✗ project_created"));
    expect(difference).toMatch(/acme[\s\S]*globex/);
    expect(said.at(-1)).toBe("0 of 12 messages arrived in #config as their snapshots say.");
  });

  it("fails when messages do not arrive", async () => {
    example.slack.updateChannel("config-changes", { archived: true });
    expect(await playTour(stage())).toBe(false);
    expect(said).toContain("✗ 0 messages arrived for project_created; it should be one.\n");
  });

  it("ends at a request that is refused, and says how", async () => {
    await example.send("POST", "/api/v1/projects/", { body: { name: "web" } });
    expect(await playTour(stage())).toBe(false);
    expect(said.at(-1)).toContain("was answered 400: ");
  });
});
