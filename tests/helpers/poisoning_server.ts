/**
 * A server that writes a response which no request has asked for, after each of its responses.
 *
 * @module
 */
import { latin1, type Upstream } from "./upstream.ts";

/** When the unasked response is written: together with the one before, at once after it, or so many milliseconds later. */
export type Moment = "together" | "at once" | number;

/** The body of a response that no request has asked for. */
export const POISON = "poison";

/** Starts a server whose responses repeat the path of the request; with a certificate, over TLS. */
export function startPoisoning(moment: Moment, certificate?: Deno.TlsCertifiedKeyPem): Upstream {
  const address = { hostname: "127.0.0.1", port: 0 };
  const listener = certificate === undefined
    ? Deno.listen(address)
    : Deno.listenTls({ ...address, ...certificate });
  const open = new Set<Deno.Conn>();

  async function serve(connection: Deno.Conn): Promise<void> {
    if ("setNoDelay" in connection) (connection as Deno.TcpConn).setNoDelay(true);
    const buffer = new Uint8Array(65_536);
    let text = "";
    for (;;) {
      const length = await connection.read(buffer);
      if (length === null) return;
      text += new TextDecoder("latin1").decode(buffer.subarray(0, length));
      if (!text.includes("\r\n\r\n")) continue;
      const [, path = ""] = text.split(" ");
      text = "";
      await connection.write(latin1(moment === "together" ? ok(path) + ok(POISON) : ok(path)));
      if (moment === "together") continue;
      const poison = (): void => void connection.write(latin1(ok(POISON))).catch(() => {});
      if (moment === "at once") poison();
      else setTimeout(poison, moment);
    }
  }

  const accepting = (async () => {
    const running: Promise<void>[] = [];
    for (;;) {
      try {
        const connection = await listener.accept();
        open.add(connection);
        running.push(serve(connection).catch(() => {}).finally(() => closeQuietly(connection)));
      } catch {
        break; // the listener was closed
      }
    }
    await Promise.all(running);
  })();
  const { port } = listener.addr;
  return {
    port,
    origin: `${certificate === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    async [Symbol.asyncDispose](): Promise<void> {
      listener.close();
      for (const connection of open) closeQuietly(connection);
      await accepting;
    },
  };
}

function ok(text: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // it was closed before
  }
}
