import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { baseUrl, type Rehearsal, rehearse } from "../rehearsal.ts";

let example: Rehearsal;
let send: Rehearsal["send"];
beforeEach(async () => {
  example = await rehearse();
  send = example.send;
});
afterEach(() => example.stop());

const published = async (): Promise<readonly string[]> => {
  const { items } = await example.bus.events.list({ organization: "acme" });
  return items.map(({ type }) => type).toReversed();
};
const create = async (path: string, body: object): Promise<Readonly<Record<string, string>>> => {
  const answer = await send("POST", path, { body });
  expect(answer.body).toMatchObject({ url: expect.any(String) });
  return answer.body;
};
const environment = async (name: string): Promise<Readonly<Record<string, string>>> =>
  (await send("GET", `/api/v1/environments/?name=${name}`)).body.results[0];

describe("every collection", () => {
  it("creates with 201, an absolute url with a trailing slash, and that url as Location", async () => {
    const { status, headers, body } = await send("POST", "/api/v1/projects/", {
      body: { name: "web" },
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      url: `${baseUrl}/api/v1/projects/${body.id}/`,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: "web",
      description: "",
      depends_on: null,
      dependents: [],
      created_at: "2026-01-01T00:00:00.000Z",
      modified_at: "2026-01-01T00:00:00.000Z",
    });
    expect(headers.get("location")).toBe(body.url);
    expect((await send("GET", body.url)).body).toEqual(body);
  });

  it("is listed in pages that link to each other", async () => {
    const first = await send("GET", "/api/v1/environments/?page_size=3");
    expect(first.body).toMatchObject({
      count: 4,
      next: `${baseUrl}/api/v1/environments/?page_size=3&page=2`,
      previous: null,
    });
    const second = await send("GET", first.body.next);
    expect(second.body.results).toMatchObject([{ name: "production" }]);
    expect(second.body.previous).toBe(`${baseUrl}/api/v1/environments/?page_size=3&page=1`);
    expect((await send("GET", "/api/v1/environments/?page=5")).status).toBe(404);
  });

  it.each([
    ["page_size=0", { page_size: ["Must be a positive integer."] }],
    ["page_size=101", { page_size: ["Must be at most 100."] }],
    ["page=x", { page: ["Must be a positive integer."] }],
    ["colour=red", { colour: ["Unknown field."] }],
  ])("refuses the query %s", async (query, body) => {
    expect(await send("GET", `/api/v1/projects/?${query}`)).toMatchObject({ status: 400, body });
  });

  it.each([
    [{}, { name: ["This field is required."] }],
    [{ name: "" }, { name: ["This field may not be blank."] }],
    [{ name: 7 }, { name: ["Must be a string."] }],
    [{ name: "x".repeat(257) }, { name: ["Ensure this field has no more than 256 characters."] }],
    [{ name: "a\nb" }, { name: ["Control characters are not allowed."] }],
    [{ name: "a", colour: "red" }, { colour: ["Unknown field."] }],
    [
      { name: "a", depends_on: "nothing" },
      { depends_on: ["There is no such project. Give the url of one of your projects."] },
    ],
    [["a"], { detail: "The body is not a JSON object." }],
  ])("refuses the body %j", async (given, body) => {
    const answer = await send("POST", "/api/v1/projects/", { body: given });
    expect(answer).toMatchObject({ status: 400, body });
    expect(await published()).toEqual([]);
  });

  it("refuses what is not JSON, is not said to be, or is too large", async () => {
    const post = (contentType: string, body: string): Promise<Response> =>
      example.fetch(
        new Request(`${baseUrl}/api/v1/projects/`, {
          method: "POST",
          headers: {
            authorization: "Api-Key acme-key",
            "content-type": contentType,
            "content-length": String(Buffer.byteLength(body)),
          },
          body,
        }),
      );
    expect((await post("application/json", "{")).status).toBe(400);
    expect((await post("text/plain", "{}")).status).toBe(415);
    expect((await post("application/json", `"${"x".repeat(300_000)}"`)).status).toBe(413);
  });

  it("is closed to those without a key", async () => {
    for (const apiKey of ["", "other-key"]) {
      const { status, headers, body } = await send("GET", "/api/v1/projects/", { apiKey });
      expect({ status, challenge: headers.get("www-authenticate"), body }).toEqual({
        status: 401,
        challenge: "Api-Key",
        body: { detail: "Send a valid API key: Authorization: Api-Key acme-key" },
      });
    }
  });

  it("answers another organization as if nothing were there", async () => {
    const { url, id = "" } = await create("/api/v1/projects/", { name: "web" });
    for (const method of ["GET", "DELETE"]) {
      const foreign = await send(method, url ?? "", { apiKey: "globex-key" });
      const unknown = await send(method, `/api/v1/projects/${id.replace(/^./, "f")}/`);
      expect([foreign.status, foreign.body]).toEqual([404, { detail: "Not found." }]);
      expect(unknown.body).toEqual(foreign.body);
    }
  });

  it("says which methods a path knows", async () => {
    const { status, headers } = await send("PUT", "/api/v1/projects/");
    expect([status, headers.get("allow")]).toEqual([405, "GET, POST"]);
  });

  it("says that paths end with a slash", async () => {
    expect(await send("GET", "/api/v1/projects")).toMatchObject({
      status: 404,
      body: { detail: "Not found. Every path ends with a slash." },
    });
  });

  it("publishes nothing when a change changes nothing", async () => {
    const { url = "" } = await create("/api/v1/projects/", { name: "web" });
    expect((await send("PATCH", url, { body: { name: "web" } })).status).toBe(200);
    expect((await send("PATCH", url, { body: {} })).status).toBe(200);
    expect(await published()).toEqual(["project_created"]);
  });

  it("keeps nothing of a change whose event could not be published", async () => {
    const publish = vi.spyOn(example.bus, "publish").mockRejectedValueOnce(new Error("disk full"));
    expect((await send("POST", "/api/v1/projects/", { body: { name: "web" } })).status).toBe(500);
    publish.mockRestore();
    expect((await send("GET", "/api/v1/projects/?name=web")).body.count).toBe(0);
  });

  it("publishes nothing of a change that could not be kept", async () => {
    await sql`create trigger refuse before insert on cloudtruth_resources
      begin select raise(abort, 'disk full'); end`.execute(example.db);
    expect((await send("POST", "/api/v1/projects/", { body: { name: "web" } })).status).toBe(500);
    expect(await published()).toEqual([]);
  });

  it("gives a name once, to whoever comes first", async () => {
    const answers = await Promise.all(
      ["web", "web"].map((name) => send("POST", "/api/v1/projects/", { body: { name } })),
    );
    expect(answers.map(({ status }) => status)).toEqual([201, 400]);
    expect(await published()).toEqual(["project_created"]);
  });
});

describe("a project", () => {
  it("cannot be deleted while something is in it or depends on it", async () => {
    const base = await create("/api/v1/projects/", { name: "base" });
    const web = await create("/api/v1/projects/", { name: "web", depends_on: base["url"] });
    const parameter = await create(`${web["url"]}parameters/`, { name: "DB_HOST" });
    const detail = (name: string, has: string): object => ({
      status: 409,
      body: { detail: `Cannot delete project "${name}": it has ${has}. Delete them first.` },
    });
    expect(await send("DELETE", base["url"] ?? "")).toMatchObject(
      detail("base", "0 parameters and 1 dependent projects"),
    );
    expect(await send("DELETE", web["url"] ?? "")).toMatchObject(
      detail("web", "1 parameters and 0 dependent projects"),
    );
    for (const { url = "" } of [parameter, web, base]) {
      expect((await send("DELETE", url)).status).toBe(204);
    }
  });

  it("cannot depend on itself, not even through others", async () => {
    const base = await create("/api/v1/projects/", { name: "base" });
    const web = await create("/api/v1/projects/", { name: "web", depends_on: base["id"] });
    const answer = await send("PATCH", base["url"] ?? "", { body: { depends_on: web["url"] } });
    expect(answer.body).toEqual({
      depends_on: ["A project cannot depend on itself, directly or indirectly."],
    });
  });
});

describe("an environment", () => {
  it("is below the default one unless it says otherwise", async () => {
    const created = await create("/api/v1/environments/", { name: "review" });
    expect(created["parent"]).toBe((await environment("default"))["url"]);
  });

  it("cannot be deleted while values, children or everything depend on it", async () => {
    const staging = await environment("staging");
    const child = await create("/api/v1/environments/", {
      name: "review",
      parent: staging["url"],
    });
    expect((await send("DELETE", staging["url"] ?? "")).status).toBe(409);
    expect((await send("DELETE", child["url"] ?? "")).status).toBe(204);
    expect((await send("DELETE", staging["url"] ?? "")).status).toBe(204);
    expect((await send("DELETE", (await environment("default"))["url"] ?? "")).status).toBe(409);
  });

  it("cannot be moved below itself", async () => {
    const staging = await environment("staging");
    const child = await create("/api/v1/environments/", { name: "review", parent: staging["id"] });
    const answer = await send("PATCH", staging["url"] ?? "", { body: { parent: child["url"] } });
    expect(answer.status).toBe(400);
  });
});

describe("a parameter", () => {
  const parameter = async (body: object): Promise<Readonly<Record<string, string>>> => {
    const { url } = await create("/api/v1/projects/", { name: "web" });
    return create(`${url}parameters/`, body);
  };

  it("has in each environment its own value or the nearest ancestor's", async () => {
    const { url = "" } = await parameter({ name: "DB_HOST" });
    const [root, staging] = [await environment("default"), await environment("staging")];
    await create(`${url}values/`, { environment: root["url"], internal_value: "one" });
    await create(`${url}values/`, { environment: staging["id"], internal_value: "two" });
    const { values } = (await send("GET", url)).body;
    const production = (await environment("production"))["url"] ?? "";
    expect(values[staging["url"] ?? ""]).toMatchObject({ internal_value: "two" });
    expect(values[production]).toMatchObject({
      internal_value: "one",
      environment: root["url"],
    });
  });

  it("hides secret values from those who ask for it", async () => {
    const { url = "" } = await parameter({ name: "DB_PASSWORD", secret: true });
    const { url: value = "" } = await create(`${url}values/`, {
      environment: (await environment("default"))["url"],
      internal_value: "hunter2",
    });
    expect((await send("GET", value)).body.internal_value).toBe("hunter2");
    for (const path of [value, url, `${url}values/`]) {
      const { body } = await send("GET", `${path}?mask_secrets=true`);
      expect(JSON.stringify(body)).toContain('"internal_value":"*****"');
      expect(JSON.stringify(body)).not.toContain("hunter2");
    }
    expect((await send("GET", `${value}?mask_secrets=maybe`)).status).toBe(400);
  });

  it("takes only values of its type, and only types of its values", async () => {
    const { url = "" } = await parameter({ name: "PORT", type: "integer" });
    const environmentUrl = (await environment("default"))["url"];
    const body = { environment: environmentUrl, internal_value: "many" };
    expect((await send("POST", `${url}values/`, { body })).body).toEqual({
      internal_value: ["The parameter is an integer."],
    });
    await create(`${url}values/`, { ...body, internal_value: "80" });
    expect((await send("PATCH", url, { body: { type: "boolean" } })).status).toBe(400);
    expect((await send("PATCH", url, { body: { type: "string" } })).status).toBe(200);
  });

  it("has one value in an environment, kept here or elsewhere", async () => {
    const { url = "" } = await parameter({ name: "DB_HOST" });
    const environmentUrl = (await environment("default"))["url"];
    const post = (body: object) =>
      send("POST", `${url}values/`, { body: { environment: environmentUrl, ...body } });
    expect((await post({})).status).toBe(400);
    expect((await post({ internal_value: "a", external_fqn: "aws://b" })).status).toBe(400);
    const { body: value } = await post({ external_fqn: "aws://b" });
    expect(value).toMatchObject({ external: true, internal_value: null });
    expect((await post({ internal_value: "a" })).status).toBe(400);
    const changed = await send("PATCH", value.url, { body: { internal_value: "a" } });
    expect(changed.body).toMatchObject({ external: false, external_fqn: null });
  });

  it("takes its values along when it is deleted, and says so for each", async () => {
    const { url = "" } = await parameter({ name: "DB_HOST" });
    for (const name of ["default", "staging"]) {
      await create(`${url}values/`, {
        environment: (await environment(name))["url"],
        internal_value: name,
      });
    }
    expect((await send("DELETE", url)).status).toBe(204);
    expect((await published()).slice(-3)).toEqual([
      "value_deleted",
      "value_deleted",
      "parameter_deleted",
    ]);
  });

  it("is found only below its own project", async () => {
    const { id, url = "" } = await parameter({ name: "DB_HOST" });
    const other = await create("/api/v1/projects/", { name: "other" });
    expect((await send("GET", `${other["url"]}parameters/${id}/`)).status).toBe(404);
    expect((await send("GET", url)).status).toBe(200);
  });
});
