/**
 * A destination that ends its connections at any place of a request or of its response, by FIN or RST or the end of TLS, and
 * counts what has reached it. A relay in front of the server cuts connections at a byte of TCP.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import net from "node:net";
import { latin1 } from "./upstream.ts";

/** How a connection ends. With TLS, `FIN` and `RST` come without the `close_notify` of TLS. */
export type Ending = "FIN" | "RST" | "close_notify";

/**
 * Where the server ends a connection: while it is idle; when it is accepted; after so many bytes of TCP from the client, or
 * a whole request (`wire`); after so many bytes of the request or somewhat later (`read`); or after a whole request and a
 * part of a response (`answer`).
 */
export type Place =
  | { readonly type: "idle" }
  | { readonly type: "accept" }
  | { readonly type: "wire"; readonly bytes: number }
  | { readonly type: "read"; readonly bytes: number }
  | { readonly type: "answer"; readonly text: string };

/** What the server does with its connections. */
export interface Plan {
  readonly ending: Ending;
  readonly place: Place;
}

/** A running server. Without a plan it responds to requests, and counts none. */
export interface EndingServer extends AsyncDisposable {
  /** With the scheme, without a slash. */
  readonly origin: string;
  /** Applies a plan to the connections that are open and to those that come; forgets what was counted. */
  plan(plan: Plan | undefined): void;
  /** Fulfils when the server has read all that was sent to it over the connections that it has ended. */
  drained(): Promise<void>;
  /** The connections over which a request, or the beginning of one, has reached the server since the plan. */
  readonly hits: () => number;
  /** The bytes of TCP that came from the client since the plan until a request was whole. */
  readonly wireBytes: () => number;
  /** The connections among the `hits` that were open before the plan. */
  readonly reused: () => number;
}

/** A connection, as the relay and the server know it. */
interface Connection {
  readonly client: net.Socket;
  readonly server: net.Socket;
  /** Fulfils when the server has read all. */
  readonly served: PromiseWithResolvers<void>;
  /** Whether the connection was open before the plan. */
  isOld: boolean;
  /** Bytes from the client since the plan, of TCP and of requests. */
  wire: number;
  read: number;
  hasEnded: boolean;
  /** What the server sends last, kept until the server has ended; `undefined` before. */
  last: Uint8Array[] | undefined;
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const LAST_OK = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
// A record of TLS 1.3 with an alert (RFC 8446 §5 and §6).
const CLOSE_NOTIFY_BYTES = 24;
const LISTEN = { hostname: "127.0.0.1", port: 0 };

/** Starts a server; with a certificate, over TLS. */
export async function startEnding(certificate?: Deno.TlsCertifiedKeyPem): Promise<EndingServer> {
  const all = new Set<Connection>();
  const byPort = new Map<number, PromiseWithResolvers<Connection>>();
  let plan: Plan | undefined;
  let wireBytes = 0;

  const listener = certificate === undefined
    ? Deno.listen(LISTEN)
    : Deno.listenTls({ ...LISTEN, ...certificate });

  function connectionOf(port: number): PromiseWithResolvers<Connection> {
    let found = byPort.get(port);
    if (found === undefined) byPort.set(port, found = Promise.withResolvers());
    return found;
  }

  /** Ends a connection below TLS. */
  function cut(connection: Connection): void {
    if (connection.hasEnded) return;
    connection.hasEnded = true;
    const { client, server } = connection;
    if (plan?.ending !== "RST") client.end();
    else if (client.writableLength === 0) client.resetAndDestroy();
    else client.once("drain", () => client.resetAndDestroy());
    server.end();
  }

  const relay = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const server = net.connect({ ...LISTEN, port: listener.addr.port, noDelay: true });
    const served = Promise.withResolvers<void>();
    const connection: Connection = {
      ...{ client, server, served, isOld: false, wire: 0, read: 0 },
      ...{ hasEnded: false, last: undefined },
    };
    all.add(connection);
    client.pause();
    client.on("error", () => {});
    server.on("error", () => {});
    client.on("data", (data: Uint8Array) => {
      if (connection.hasEnded) return;
      const { wire } = connection;
      connection.wire += data.length;
      const place = plan?.place;
      if (place?.type !== "wire" || connection.wire < place.bytes) return void server.write(data);
      server.write(data.subarray(0, place.bytes - wire));
      cut(connection);
    });
    client.on("end", () => {
      server.end();
      client.end();
    });
    client.on("close", () => server.end());
    server.on("data", (data: Uint8Array) => {
      if (connection.hasEnded) return;
      if (connection.last !== undefined) connection.last.push(data.slice());
      else client.write(data);
    });
    server.on("end", () => {
      if (connection.hasEnded) return;
      if (connection.last !== undefined) {
        const bytes = concat(connection.last);
        const isTls = certificate !== undefined;
        client.write(bytes.subarray(0, bytes.length - (isTls ? CLOSE_NOTIFY_BYTES : 0)));
        return cut(connection);
      }
      client.end();
      connection.hasEnded = true;
    });
    server.on("connect", () => {
      connectionOf(server.localPort ?? 0).resolve(connection);
      if (plan?.place.type === "accept") cut(connection);
      if (plan?.place.type === "wire" && plan.place.bytes === 0) cut(connection);
      client.resume();
    });
  });

  /** Acts on what has been read of a request; returns whether that was its last act. */
  async function act(tcp: Deno.Conn, connection: Connection, text: string): Promise<boolean> {
    const isDue = plan?.place.type === "read" && connection.read >= plan.place.bytes;
    if (isDue) return await end(tcp, connection);
    if (!isWhole(text)) return false;
    if (wireBytes === 0) wireBytes = connection.wire;
    if (plan === undefined) await tcp.write(latin1(OK));
    else if (plan.place.type === "idle") await tcp.write(latin1(LAST_OK));
    else if (plan.place.type === "wire") cut(connection);
    else if (plan.place.type === "answer") {
      if (plan.ending !== "close_notify") connection.last = [];
      await tcp.write(latin1(plan.place.text));
      await tcp.closeWrite();
      return true;
    }
    return false;
  }

  async function end(tcp: Deno.Conn, connection: Connection): Promise<boolean> {
    if (plan?.ending === "close_notify") await tcp.closeWrite();
    else cut(connection);
    return true;
  }

  async function serve(tcp: Deno.Conn): Promise<void> {
    const { port } = tcp.remoteAddr as Deno.NetAddr;
    const connection = await connectionOf(port).promise;
    byPort.delete(port); // a later connection may have it again
    const buffer = new Uint8Array(65_536);
    const decoder = new TextDecoder("latin1");
    let text = "";
    try {
      if ("handshake" in tcp) await (tcp as Deno.TlsConn).handshake();
      if ("setNoDelay" in tcp) (tcp as Deno.TcpConn).setNoDelay(true);
      let isOver = plan?.place.type === "read" && plan.place.bytes === 0 &&
        await end(tcp, connection);
      for (;;) {
        const length = await tcp.read(buffer);
        if (length === null) break;
        connection.read += length;
        text += decoder.decode(buffer.subarray(0, length));
        if (isOver) continue;
        isOver = await act(tcp, connection, text);
        if (isWhole(text)) text = "";
      }
    } catch {
      // the connection was cut
    } finally {
      connection.served.resolve();
      tcp.close();
    }
  }

  const accepting = (async () => {
    const running: Promise<void>[] = [];
    for (;;) {
      try {
        running.push(serve(await listener.accept()));
      } catch {
        break; // the listener was closed
      }
    }
    await Promise.all(running);
  })();
  await new Promise<void>((resolve) => relay.listen(0, LISTEN.hostname, resolve));
  const address = relay.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  return {
    origin: `${certificate === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    plan(next): void {
      plan = next;
      wireBytes = 0;
      for (const connection of all) {
        if (connection.hasEnded) all.delete(connection);
        connection.wire = connection.read = 0;
        connection.isOld = true;
        if (plan?.place.type === "idle") cut(connection);
      }
    },
    async drained(): Promise<void> {
      for (const { hasEnded, served } of all) if (hasEnded) await served.promise;
    },
    hits: () => [...all].filter(({ read }) => read > 0).length,
    wireBytes: () => wireBytes,
    reused: () => [...all].filter(({ read, isOld }) => isOld && read > 0).length,
    async [Symbol.asyncDispose](): Promise<void> {
      relay.close();
      for (const { client, server } of all) {
        client.destroy();
        server.destroy();
      }
      listener.close();
      await accepting;
    },
  };
}

/** Reports whether a request has arrived with all of its body, which has a length or chunks. */
function isWhole(text: string): boolean {
  const end = text.indexOf("\r\n\r\n") + 4;
  if (end < 4) return false;
  const head = text.slice(0, end).toLowerCase();
  if (head.includes("\r\ntransfer-encoding: chunked\r\n")) return text.endsWith("\r\n0\r\n\r\n");
  const [, length = "0"] = /\r\ncontent-length: (\d+)/.exec(head) ?? [];
  return text.length - end >= Number(length);
}
