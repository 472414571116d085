import { describe, expect, it } from "vitest";
import { createWorld, trouble } from "../test/acme.ts";

async function withDead() {
  const world = createWorld();
  const path = await world.given();
  world.pager.answer = trouble.lasting;
  await world.publish();
  return { ...world, path };
}

const from = "2000-01-01T00:00:00Z";

describe("a replay", () => {
  it("is begun, shown and listed", async () => {
    const { ask, path } = await withDead();
    const { status, body, headers } = await ask("POST", `${path}replays/`, { body: { from } });
    expect(status).toBe(202);
    expect(headers.get("location")).toBe(body.url);
    expect(body).toEqual({
      url: expect.stringContaining(`${path}replays/${body.id}/`),
      id: expect.any(String),
      webhook: expect.stringContaining(path),
      webhook_id: path.split("/")[2],
      from: "2000-01-01T00:00:00.000Z",
      until: expect.any(String),
      which: "dead",
      status: "running",
      redelivered_count: 0,
      created_at: expect.any(String),
      ended_at: null,
    });
    expect((await ask("GET", `${path}replays/${body.id}/`)).body).toEqual(body);
    expect((await ask("GET", `${path}replays/`)).body.results).toEqual([body]);
  });

  it("is canceled once", async () => {
    const { ask, path } = await withDead();
    const { body } = await ask("POST", `${path}replays/`, { body: { from, which: "all" } });
    const cancel = `${path}replays/${body.id}/cancel/`;
    expect((await ask("POST", cancel)).body.status).toBe("canceled");
    const again = await ask("POST", cancel);
    expect([again.status, again.body.code]).toEqual([409, "replay_ended"]);
  });

  it.each([
    [{}, "/from"],
    [{ from: "yesterday" }, "/from"],
    [{ from: 7 }, "/from"],
    [{ from: "2026-01-01T00:00:00" }, "/from"],
    [{ from: "2999-01-01T00:00:00Z" }, "/from"],
    [{ from, until: "1999-01-01T00:00:00Z" }, "/from"],
    [{ from, until: null }, "/until"],
    [{ from, which: "some" }, "/which"],
    [{ from, wich: "all" }, "/wich"],
  ])("%j is refused, with the place", async (body, pointer) => {
    const { ask, path } = await withDead();
    const answer = await ask("POST", `${path}replays/`, { body });
    expect(answer.status).toBe(422);
    expect(answer.body.errors[0].pointer).toBe(pointer);
    expect((await ask("GET", `${path}replays/`)).body.results).toEqual([]);
  });

  it("of another webhook is not found", async () => {
    const { ask, path, given } = await withDead();
    const other = await given();
    const { body } = await ask("POST", `${path}replays/`, { body: { from } });
    expect((await ask("GET", `${other}replays/${body.id}/`)).status).toBe(404);
    expect((await ask("POST", `${other}replays/${body.id}/cancel/`)).status).toBe(404);
  });
});
