import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { readArguments, startAlone } from "./alone.ts";

const cli = new URL("./cli.ts", import.meta.url).pathname;
const node = (args: readonly string[]) =>
  spawn(process.execPath, ["--conditions=@posthorn/source", cli, ...args]);

async function outputOf(child: ReturnType<typeof node>, stream: "stdout" | "stderr") {
  let text = "";
  child[stream].on("data", (chunk) => {
    text += chunk;
  });
  await once(child, "close");
  return text;
}

test("what it is told is a port, channels and tokens, each with a default", () => {
  expect(readArguments([])).toEqual({
    port: 4_100,
    channels: ["general", "random"],
    tokens: ["xoxb-fake"],
  });
  const given = ["--port", "0", "--channel", "#a", "--channel", "b", "--token", "xoxb-t"];
  expect(readArguments(given)).toEqual({ port: 0, channels: ["a", "b"], tokens: ["xoxb-t"] });
  expect(() => readArguments(["--prot", "1"])).toThrow("There is no option --prot.");
  expect(() => readArguments(["--port"])).toThrow("--port needs a value.");
  expect(() => readArguments(["--port", "x"])).toThrow("--port x is no port.");
});

test("it runs as a program, answers as Slack does, and ends when it is told to", async () => {
  const child = node(["--port", "0", "--channel", "deploys"]);
  let text = "";
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.includes("Tokens")) break;
  }
  const url = /Web API {3}(\S+)/.exec(text)?.[1] ?? "";
  const post = (token: string, more = {}): Promise<Response> =>
    fetch(`${url}chat.postMessage`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ channel: "deploys", text: "Hello <world>", ...more }),
    });
  expect(await (await post("xoxb-fake")).json()).toMatchObject({ ok: true });
  expect((await post("xoxb-503")).status).toBe(503);
  await post("xoxb-fake", { text: "*as it is*", mrkdwn: false });
  const page = await (await fetch(new URL("/", url))).text();
  expect(page).toContain("#</span>deploys");
  expect(page).toContain("Hello &lt;world&gt;");
  expect(page).toContain("<p>*as it is*</p>");
  child.kill("SIGTERM");
  expect(await once(child, "close")).toEqual([0, null]);
});

test("a port that is taken is told, with what to do", async () => {
  const slack = await startAlone({ port: 0, channels: ["a"], tokens: ["xoxb-fake"] });
  const child = node(["--port", new URL(slack.url).port]);
  expect(await outputOf(child, "stderr")).toBe("The port is taken. Give another: --port 0\n");
  expect(child.exitCode).toBe(1);
  await slack.close();
});

test("an empty channel says how to fill it, with a command that works as it is", async () => {
  const slack = await startAlone({ port: 0, channels: ["a"], tokens: ["xoxb-fake"] });
  const page = await (await fetch(new URL("/", slack.url))).text();
  expect(page).toContain("Nothing in #a yet");
  expect(page).toContain(`curl ${slack.url}chat.postMessage`);
  slack.updateChannel("a", { archived: true });
  const archived = await (await fetch(new URL("/", slack.url))).text();
  expect(archived).toContain("Nothing can be posted in #a");
  expect((await fetch(new URL("/nothing", slack.url))).status).toBe(404);
  await slack.close();
});
