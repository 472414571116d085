import { describe, expect, it } from "vitest";
import { createWorld, pagerWebhook, trouble } from "../test/acme.ts";

describe("a delivery", () => {
  it("tells what was tried, why it failed, what helps and when it is tried next", async () => {
    const { ask, given, pager, publish } = createWorld();
    const path = await given();
    pager.answer = trouble.passing;
    await publish();
    const [listed] = (await ask("GET", `${path}deliveries/`)).body.results;
    const { status, body } = await ask("GET", `${path}deliveries/${listed.id}/`);
    expect(status).toBe(200);
    expect(body).toEqual({
      url: `http://api.test/api/v1${path}deliveries/${body.id}/`,
      id: listed.id,
      webhook: `http://api.test/api/v1${path}`,
      webhook_id: path.split("/")[2],
      event_id: expect.any(String),
      event_type: "project_created",
      type: "pager",
      status: "pending",
      in_flight: false,
      next_attempt_at: expect.any(String),
      attempt_count: 1,
      throttle_count: 0,
      lapse_count: 0,
      reason: "The pager did not answer.",
      redelivery_of: null,
      created_at: expect.any(String),
      completed_at: null,
      attempts: [
        {
          started_at: expect.any(String),
          duration_ms: expect.any(Number),
          outcome: "failed",
          counted: true,
          late: false,
          reason: "The pager did not answer.",
          remedy: "Switch it on.",
          details: { code: 7 },
        },
      ],
    });
    expect(Date.parse(body.next_attempt_at)).toBeGreaterThan(Date.parse(body.created_at));
    const { attempts: _, ...rest } = body;
    expect(listed).toEqual(rest);
  });

  it("is found by its status", async () => {
    const { ask, given, pager, publish } = createWorld();
    const path = await given();
    await publish();
    pager.answer = trouble.lasting;
    await publish();
    const statuses = async (query: string) =>
      (await ask("GET", `${path}deliveries/${query}`)).body.results.map(
        ({ status }: { status: string }) => status,
      );
    expect(await statuses("")).toEqual(["dead", "delivered"]);
    expect(await statuses("?status=delivered")).toEqual(["delivered"]);
    expect(await statuses("?status=pending")).toEqual([]);
  });

  it("keeps its filter from page to page", async () => {
    const { ask, given, publish } = createWorld();
    const path = await given();
    for (const _ of Array(3)) await publish();
    const first = (await ask("GET", `${path}deliveries/?status=delivered&limit=2`)).body;
    expect(new URL(first.next).searchParams.get("status")).toBe("delivered");
    const second = await ask("GET", first.next.replace("http://api.test/api/v1", ""));
    expect(second.body.results).toHaveLength(1);
  });

  it("is delivered again as a new one", async () => {
    const { ask, bus, given, pager, publish } = createWorld();
    const path = await given();
    await publish();
    const [delivery] = (await ask("GET", `${path}deliveries/`)).body.results;
    const url = `${path}deliveries/${delivery.id}/`;
    const { status, headers, body } = await ask("POST", `${url}redeliver/`);
    expect([status, body.status, body.redelivery_of]).toEqual([202, "pending", delivery.url]);
    expect(headers.get("location")).toBe(body.url);
    expect(body.id).not.toBe(delivery.id);
    await bus.drain();
    expect(pager.received).toHaveLength(2);
  });

  it("is canceled while it is pending, and not delivered again before it ends", async () => {
    const { ask, given, publish } = createWorld();
    const path = await given({ ...pagerWebhook, enabled: false });
    await publish();
    const [delivery] = (await ask("GET", `${path}deliveries/`)).body.results;
    const url = `${path}deliveries/${delivery.id}/`;
    const early = await ask("POST", `${url}redeliver/`);
    expect([early.status, early.body.code]).toEqual([409, "delivery_pending"]);
    const canceled = await ask("POST", `${url}cancel/`);
    expect([canceled.status, canceled.body.status]).toEqual([200, "canceled"]);
    const late = await ask("POST", `${url}cancel/`);
    expect([late.status, late.body.code]).toEqual([409, "delivery_not_pending"]);
  });

  it("belongs to one webhook: under another of the same organization it is not found", async () => {
    const { ask, given, publish } = createWorld();
    const path = await given();
    await publish();
    const other = await given();
    const [delivery] = (await ask("GET", `${path}deliveries/`)).body.results;
    for (const [method, action] of [
      ["GET", ""],
      ["POST", "redeliver/"],
      ["POST", "cancel/"],
    ] as const) {
      const { status } = await ask(method, `${other}deliveries/${delivery.id}/${action}`);
      expect(status).toBe(404);
    }
  });
});
