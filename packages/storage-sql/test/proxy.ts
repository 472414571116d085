import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands between a client and a database server, and breaks connections at a chosen moment. */
export interface TcpProxy {
  readonly port: number;
  /** How many bytes clients have sent so far. */
  readonly sent: number;
  /** Cuts, once, where this many more bytes have been sent: they arrive, nothing after them does. */
  cutAfter(bytes: number): void;
  /**
   * Cuts, once, where a client sends such text: before the server gets it, or when the server has
   * answered, so that it was done and the client does not know. Commits are `/\bcommit\b/`.
   */
  cutAt(text: RegExp, when: "before" | "answered"): void;
  /** Cuts all connections now. */
  cut(): void;
  close(): Promise<void>;
}

/** @param onCut Hears of each cut that `cutAfter` and `cutAt` asked for, when it comes. */
export async function startProxy(
  targetPort: number,
  targetHost = "127.0.0.1",
  onCut: () => void = () => {},
): Promise<TcpProxy> {
  const links = new Set<Link>();
  let sent = 0;
  let cutAfter = Number.POSITIVE_INFINITY;
  let cutAt: { readonly text: RegExp; readonly when: "before" | "answered" } | null = null;

  const server = createServer((client) => {
    const link = linkOf(client, connect(targetPort, targetHost));
    links.add(link);
    client.on("close", () => links.delete(link));

    client.on("data", (chunk) => {
      const allowed = cutAfter - sent;
      sent += chunk.length;
      if (chunk.length >= allowed) {
        cutAfter = Number.POSITIVE_INFINITY;
        onCut();
        link.upstream.end(chunk.subarray(0, allowed));
        client.destroy();
        return;
      }
      if (cutAt?.text.test(chunk.toString("latin1"))) {
        const { when } = cutAt;
        cutAt = null;
        onCut();
        if (when === "before") return link.cut();
        link.upstream.removeAllListeners("data").once("data", () => link.cut());
      }
      link.upstream.write(chunk);
    });
    link.upstream.on("data", (chunk) => client.write(chunk));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const link of links) link.cut();
  };

  return {
    port: (server.address() as AddressInfo).port,
    get sent() {
      return sent;
    },
    cutAfter: (bytes) => {
      cutAfter = sent + bytes;
    },
    cutAt: (text, when) => {
      cutAt = { text, when };
    },
    cut,
    close: async () => {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}

interface Link {
  readonly upstream: Socket;
  cut(): void;
}

/** Where one side ends, so does the other. */
function linkOf(client: Socket, upstream: Socket): Link {
  const cut = (): void => {
    client.destroy();
    upstream.destroy();
  };
  for (const socket of [client, upstream]) {
    socket.setNoDelay(true);
    socket.on("error", cut);
  }
  client.on("close", () => upstream.end());
  upstream.on("close", () => client.destroy());
  return { upstream, cut };
}
