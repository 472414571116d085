import type { Storage, System } from "@posthorn/core";

/** A process that can be killed: from then on nothing that it waits for ever happens. */
export function mortal(
  storage: Storage,
  system: System,
): { readonly storage: Storage; readonly system: System; kill(): void } {
  let alive = true;
  const never = new Promise<never>(() => {});
  const whileAlive = <Value>(value: Promise<Value>): Promise<Value> =>
    value.then(
      (result) => (alive ? result : never),
      (error: unknown) => (alive ? Promise.reject(error) : never),
    );
  const dying = <Methods extends object>(methods: Methods): Methods =>
    new Proxy(methods, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key);
        if (typeof member === "object" && member !== null) return dying(member);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          if (!alive) return never;
          const result: unknown = member.apply(target, args);
          return result instanceof Promise ? whileAlive(result) : result;
        };
      },
    });
  return {
    storage: dying(storage),
    system: { ...system, sleep: (ms, signal) => whileAlive(system.sleep(ms, signal)) },
    kill: () => {
      alive = false;
    },
  };
}
