import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Storage } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { sqliteStorage } from "@posthorn/storage-sql/sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { urls } from "../../packages/handler-http/test/urls.ts";
import {
  createWorld,
  httpWebhook,
  pagerWebhook,
  type World,
} from "../../packages/rest/test/acme.ts";
import { documentedStatuses } from "../../packages/rest/test/documented.ts";
import { asked, type BadInput, badInput, creating } from "./case.ts";
import { inOtherTests, list, withoutObject } from "./list.ts";
import { ids, unicode } from "./names.ts";
import { hostOptions } from "./options.ts";
import { elsewhere, patterns } from "./patterns.ts";
import { publications } from "./publishing.ts";
import { headers, requests } from "./requests.ts";

const problems = new Set([
  "too_long",
  "forbidden_character",
  "unparseable",
  "scheme",
  "authority",
  "userinfo",
  "fragment",
  "port",
  "literal_address",
  "address",
  "single_label",
  "special_name",
  "host_name",
]);

/** Each way to write a URL, against the API. What a name leads to is not the API's to say. */
const addresses: readonly BadInput[] = Object.entries(urls).map(([id, [text, expected]]) =>
  badInput(
    id,
    JSON.stringify(text).slice(0, 60),
    problems.has(expected) ? "422 invalid_configuration /configuration/url" : "201",
    (world) => creating(world, { url: text }),
  ),
);

const groups: Readonly<Record<string, readonly BadInput[]>> = {
  "U, URLs": addresses,
  "N, where a webhook leads": elsewhere,
  "J, bodies of requests": requests,
  "C, options of the host": hostOptions,
  "H, headers": headers,
  "P, events": publications,
  "T, patterns and templates": patterns,
  "D, ids, pages and organizations": ids,
  "X, Unicode": unicode,
};

const folder = mkdtempSync(join(tmpdir(), "posthorn-bad-inputs-"));
afterAll(() => rmSync(folder, { recursive: true }));

const storages: Readonly<Record<string, () => Promise<Storage>>> = {
  memory: async () => memoryStorage(),
  SQLite: async () => {
    const storage = sqliteStorage({ file: join(folder, `${randomUUID()}.db`) });
    await storage.migrate();
    return storage as Storage;
  },
};

for (const [name, open] of Object.entries(storages)) {
  describe(`bad inputs, on ${name}`, () => {
    let world: World;
    const undocumented: string[] = [];
    let storage: Storage;
    beforeAll(async () => {
      storage = await open();
      const plain = createWorld({ storage });
      const statusesOf = await documentedStatuses(plain);
      world = {
        ...plain,
        ask: async (method, path, given) => {
          const answered = await plain.ask(method, path, given);
          const statuses = statusesOf(method, path);
          if (statuses !== null && !statuses.includes(String(answered.status))) {
            undocumented.push(`${method} ${path}: ${answered.status}`);
          }
          return answered;
        },
      };
    });
    afterAll(async () => {
      await world.bus.stop();
      await storage.close();
    });

    for (const [group, inputs] of Object.entries(groups)) {
      describe(group, () => {
        for (const { id, name: input, expected, run } of inputs) {
          it(`${id} ${input}: ${expected}`, async () => {
            const ends = [await run(world, storage)].flat();
            expect(ends.length).toBeGreaterThan(0);
            for (const end of ends) {
              if (typeof expected === "string") expect(end).toBe(expected);
              else expect(end).toMatch(expected);
            }
          });
        }
      });
    }

    it("answer nothing that the API's description does not have", () => {
      expect(undocumented).toEqual([]);
    });

    describe("D02, what belongs to another organization", () => {
      it("is the same 404 as what is not there, on every route and with every verb", async () => {
        const path = await world.given(pagerWebhook);
        await world.publish();
        const [delivery] = (await world.ask("GET", `${path}deliveries/`)).body.results;
        const from = new Date(0).toISOString();
        const replay = (await world.ask("POST", `${path}replays/`, { body: { from } })).body;
        const real = { id: path.split("/")[2], delivery_id: delivery.id, replay_id: replay.id };
        const absent = { id: randomUUID(), delivery_id: randomUUID(), replay_id: randomUUID() };
        const bodies: Readonly<Record<string, object>> = {
          "PATCH /webhooks/{id}/": { name: "Mine" },
          "PUT /webhooks/{id}/": {
            ...httpWebhook,
            type: "pager",
            configuration: pagerWebhook.configuration,
          },
          "POST /webhooks/{id}/replays/": { from },
        };
        const { paths } = (await world.ask("GET", "/openapi.json")).body;
        const before = await world.ask("GET", path);
        let tried = 0;
        for (const [route, operations] of Object.entries<object>(paths)) {
          if (!route.includes("{id}")) continue;
          for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
            const at = (values: Readonly<Record<string, unknown>>): string =>
              route.replaceAll(/\{(\w+)\}/g, (_, key: string) => String(values[key]));
            const body = bodies[`${method} ${route}`];
            const given = { organization: "globex", ...(body && { body }) };
            const foreign = await world.ask(method, at(real), given);
            const unknown = await world.ask(method, at(absent), given);
            const known = method.toLowerCase() in operations;
            expect([route, method, foreign.status]).toEqual([route, method, known ? 404 : 405]);
            expect(foreign.text).toBe(unknown.text);
            expect(Object.fromEntries(foreign.headers)).toEqual(
              Object.fromEntries(unknown.headers),
            );
            tried += 1;
          }
        }
        expect(tried).toBeGreaterThanOrEqual(55);
        expect((await world.ask("GET", path)).text).toBe(before.text);
        expect(await asked(world, "GET", path)).toBe("200");
      });
    });
  });
}

it("are all there is a name for: each has a case here, a case elsewhere, or a reason", async () => {
  const here = Object.values(groups).flatMap((inputs) => inputs.map(({ id }) => id));
  const given = new Set([...here, "D02", ...Object.keys(withoutObject)]);
  for (const [file, ids] of Object.entries(inOtherTests)) {
    const text = await readFile(join(import.meta.dirname, "../..", file), "utf8");
    for (const id of ids) {
      const named = new RegExp(`"[^"\\n]*\\b${id}\\b[^"\\n]*"`);
      expect(named.test(text), `${id} in ${file}`).toBe(true);
      given.add(id);
    }
  }
  const all = Object.entries(list).flatMap(([letter, count]) =>
    Array.from(
      { length: count },
      (_, index) => letter + String(index + 1).padStart(letter === "U" ? 3 : 2, "0"),
    ),
  );
  expect([...given].toSorted()).toEqual(all.toSorted());
  expect(here.filter((id) => id in withoutObject)).toEqual([]);
});

it("are counted", () => {
  const counts = Object.entries(groups).map(
    ([group, inputs]) => `${group.slice(0, 1)} ${inputs.length}`,
  );
  const all = Object.values(groups).flat();
  const others = Object.values(inOtherTests).flat().length;
  process.stdout.write(
    `${all.length} named bad inputs on each storage: ${counts.join(", ")}; ${others} more entries in tests of their own\n`,
  );
  expect(all.length).toBeGreaterThan(290);
  const named = all.map(({ id, name }) => `${id} ${name}`);
  expect(new Set(named).size).toBe(named.length);
});
