import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { webhookPayload } from "../commands.ts";
import { baseUrl, type Rehearsal, rehearse } from "../rehearsal.ts";

let example: Rehearsal;
beforeEach(async () => {
  example = await rehearse();
});
afterEach(() => example.stop());

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  example.fetch(new Request(`${baseUrl}${path}`, { headers }));

async function postToSlack(name: string, channel = "#config-changes"): Promise<void> {
  await example.send("POST", "/api/v1/webhooks/", {
    body: webhookPayload({
      token: "xoxb-fake-acme",
      channel,
      organization: "acme",
      eventTypes: ["project_created"],
    }),
  });
  await example.send("POST", "/api/v1/projects/", { body: { name } });
  await example.advance(2_000);
}

/** The first events of the live stream. */
async function live(after: string, count: number): Promise<readonly Record<string, string>[]> {
  const response = await get("/slack/live", { "last-event-id": after });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (text.split("\n\n").length <= count) text += (await reader?.read())?.value ?? "";
  await reader?.cancel();
  return text
    .split("\n\n")
    .slice(0, count)
    .map((event) => Object.fromEntries(event.split("\n").map((line) => line.split(/: (.*)/))));
}

const lastOf = (html: string): string => /data-last="([^"]+)"/.exec(html)?.[1] ?? "";

describe("the Slack page", () => {
  it("loads nothing from elsewhere and runs nothing inline", async () => {
    const response = await get("/slack/");
    expect(response.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'self'; script-src 'self';/,
    );
    const html = await response.text();
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style|style="|\son\w+="/);
    for (const file of ["style.css", "live.js", "icon.svg"]) {
      expect(html).toContain(`"${file}"`);
      expect((await get(`/slack/${file}`)).status).toBe(200);
    }
  });

  it("says in an empty channel how to fill it, with commands that work as they are", async () => {
    const html = await (await get("/slack/")).text();
    const [project] = (await example.store.read("acme")).projects.keys();
    expect(html).toContain("Nothing in #config-changes yet");
    expect(html).toContain(`curl -X POST ${baseUrl}/api/v1/webhooks/`);
    expect(html).toContain(`curl -X POST ${baseUrl}/api/v1/projects/${project}/parameters/`);
  });

  it("shows a channel's messages, whatever their names are made of", async () => {
    await postToSlack('<img src=x onerror=alert(1)> & "web"');
    const html = await (await get("/slack/")).text();
    expect(html).toContain("<strong>Project created</strong>");
    expect(html).toContain("<code>&lt;img src=x onerror=alert(1)&gt; &amp; &quot;web&quot;</code>");
    expect(html).not.toContain("<img");
    expect(html).not.toContain("Nothing in");
  });

  it("shows the name of a sender as text", async () => {
    const configuration = {
      token: "xoxb-fake-acme",
      channel: "#config-changes",
      username: "<script>alert(1)</script>",
    };
    const { status } = await example.send("POST", "/api/v1/webhooks/", {
      body: { name: "Bot", event_types: ["*"], type: "slack", configuration },
    });
    expect(status).toBe(201);
    await example.send("POST", "/api/v1/projects/", { body: { name: "web" } });
    await example.advance(2_000);
    const html = await (await get("/slack/")).text();
    expect(html).toContain('<b class="sender">&lt;script&gt;alert(1)&lt;/script&gt;</b>');
    expect(html).not.toContain("<script>");
  });

  it("leads from a channel that does not exist to one that does", async () => {
    const response = await get("/slack/?channel=C404");
    expect([response.status, response.headers.get("location")]).toEqual([302, "/slack/"]);
  });
});

describe("live updates", () => {
  it("go on after the last message that the page has", async () => {
    await postToSlack("one");
    const last = lastOf(await (await get("/slack/")).text());
    await postToSlack("two", "#deployments");
    const [ready, first, second] = await live(last, 3);
    expect(ready).toMatchObject({ event: "ready" });
    const shown = [first, second].map((event) => JSON.parse(event?.["data"] ?? ""));
    expect(shown.map(({ workspace }) => workspace)).toEqual(["T0ACME", "T0ACME"]);
    expect(new Set(shown.map(({ channel }) => channel)).size).toBe(2);
    expect(first?.["id"]).toBe(last.replace(/\d+$/, "2"));
  });

  it("tell a page of an earlier run to begin anew", async () => {
    expect(await live("another-run 3", 1)).toMatchObject([{ event: "restart" }]);
  });
});
