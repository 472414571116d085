import type { LookupFunction } from "node:net";
import { buildConnector } from "undici";
import { type Guard, portOf } from "./guard.ts";
import { connectTrouble, Trouble } from "./trouble.ts";

const WITHIN_MS = 5_000;

/**
 * Opens connections, to nothing that the guard refuses. A name is looked up once for a connection,
 * every one of its addresses must pass, and only these are dialled: what a name server says a moment
 * later changes nothing. Addresses in place of names are never looked up, so the target itself is
 * checked first; and the far end of the socket last.
 */
export function guardedConnector(
  guard: Guard,
  addressesOf: (hostname: string) => Promise<readonly string[]>,
): buildConnector.connector {
  const lookup: LookupFunction = (hostname, { all }, callback) => {
    find(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (all === true) callback(null, addresses);
        else callback(null, first?.address ?? "", first?.family ?? 4);
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };

  async function find(hostname: string): Promise<{ address: string; family: number }[]> {
    const addresses = await addressesOf(hostname.replace(/\.$/, "")).catch((error: unknown) => {
      throw new Trouble("dns_error", "dns", error);
    });
    if (!addresses.every((address) => guard.checkAddress(address))) {
      throw new Trouble(
        "blocked_address",
        "dns",
        new Error(`${hostname}: ${addresses.join(", ")}`),
      );
    }
    return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  }

  const connect = buildConnector({ timeout: WITHIN_MS, allowH2: false, lookup });
  return (options, callback) => {
    const { protocol, hostname } = options;
    const port = portOf(protocol, options.port);
    const problem = guard.checkTarget({ protocol, hostname, port });
    if (problem !== null) {
      callback(new Trouble("blocked_address", "url", new Error(problem)), null);
      return;
    }
    let connected = false;
    const socket = connect(options, (error, opened) => {
      if (error !== null || opened === null) {
        callback(error instanceof Trouble ? error : connectTrouble(error, connected), null);
        return;
      }
      const { remoteAddress = "" } = opened;
      if (guard.checkAddress(remoteAddress)) {
        callback(null, opened);
        return;
      }
      opened.destroy();
      callback(new Trouble("blocked_address", "connect", new Error(remoteAddress)), null);
    }) as unknown;
    (socket as NodeJS.EventEmitter | undefined)?.once("connect", () => {
      connected = true;
    });
  };
}
