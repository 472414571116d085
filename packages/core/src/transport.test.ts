import { describe, expect, it, vi } from "vitest";
import type { StoredEvent } from "./event.ts";
import { inProcessTransport } from "./transport.ts";

const event = { id: "e1" } as StoredEvent;
const listener = () => ({ wake: vi.fn(), event: vi.fn() });

describe("the transport within a process", () => {
  it("tells every listener, until it stops listening", () => {
    const transport = inProcessTransport();
    const [one, two] = [listener(), listener()];
    const stop = transport.listen(one);
    transport.listen(two);
    transport.wake();
    transport.broadcast(event);
    stop();
    stop();
    transport.wake();
    transport.broadcast(event);
    expect(one.wake).toHaveBeenCalledTimes(1);
    expect(two.wake).toHaveBeenCalledTimes(2);
    expect(one.event.mock.calls).toEqual([[event]]);
    expect(two.event.mock.calls).toEqual([[event], [event]]);
  });

  it("is disturbed by no listener that throws", () => {
    const transport = inProcessTransport();
    const throwing = (): never => {
      throw new Error("no");
    };
    const heard = listener();
    transport.listen({ wake: throwing, event: throwing });
    transport.listen(heard);
    expect(() => transport.wake()).not.toThrow();
    expect(() => transport.broadcast(event)).not.toThrow();
    expect(heard.wake).toHaveBeenCalledOnce();
    expect(heard.event).toHaveBeenCalledOnce();
  });

  it("is silent once it is closed, however often, for new listeners too", async () => {
    const transport = inProcessTransport();
    const [before, after] = [listener(), listener()];
    transport.listen(before);
    await transport.close();
    await transport.close();
    const stop = transport.listen(after);
    transport.wake();
    transport.broadcast(event);
    stop();
    for (const { wake, event } of [before, after]) {
      expect(wake).not.toHaveBeenCalled();
      expect(event).not.toHaveBeenCalled();
    }
  });
});
