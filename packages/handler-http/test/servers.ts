import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";

/** A server that speaks only what a test has it say. */
export interface RawServer {
  readonly port: number;
  /** How many connections were opened to it. */
  readonly connections: () => number;
  /** How many are open now. */
  readonly open: () => number;
  close(): Promise<void>;
}

/** Listens on the loopback interface; with a certificate, for TLS. */
export async function rawServer(
  serve: (socket: Socket) => void,
  tls?: TlsOptions,
): Promise<RawServer> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const note = (socket: Socket): void => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };
  const server =
    tls === undefined
      ? createServer((socket) => {
          note(socket);
          serve(socket);
        })
      : createTlsServer(tls, serve)
          .on("connection", note)
          .on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    open: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers every request of a connection with the same bytes. */
export const answering =
  (answer: string | Buffer) =>
  (socket: Socket): void => {
    socket.on("data", () => socket.write(answer));
  };
