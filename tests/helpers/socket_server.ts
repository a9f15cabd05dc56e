/**
 * A server of raw sockets over TCP or TLS, without Nagle's algorithm.
 *
 * @module
 */
import net from "node:net";
import tls from "node:tls";
import type { Upstream } from "./upstream.ts";

/** Handles the head of a request. Connections are counted from 1. */
export type Answer = (socket: net.Socket, head: string, connection: number) => void;

/** Starts a server for requests without a body; with a certificate, over TLS. */
export async function startSockets(
  answer: Answer,
  certificate?: Deno.TlsCertifiedKeyPem,
): Promise<Upstream> {
  const sockets = new Set<net.Socket>();
  let connections = 0;

  function serve(socket: net.Socket): void {
    const connection = ++connections;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let text = "";
    socket.on("data", (data: Uint8Array) => {
      text += new TextDecoder("latin1").decode(data);
      if (!text.includes("\r\n\r\n")) return;
      const head = text;
      text = "";
      answer(socket, head, connection);
    });
  }

  const server = certificate === undefined
    ? net.createServer({ noDelay: true }, serve)
    : tls.createServer({ ...certificate, noDelay: true }, serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    port,
    origin: `${certificate === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    async [Symbol.asyncDispose](): Promise<void> {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Returns a response with a body of known length. */
export function toOk(text: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
}
