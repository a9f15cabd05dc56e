/**
 * A server of wsfetch.v1 that says what a test tells it to, over real WebSockets.
 *
 * @module
 */
import { decodeChunk, encodeChunk, type Limits, SUBPROTOCOL } from "../../src/protocol/mod.ts";

/** A frame that came: parsed JSON, or a chunk as `{ type: "chunk", id, fin, payload }`. */
// deno-lint-ignore no-explicit-any -- tests look at whatever comes
export type Frame = any;

/** One connection of a client. */
export interface FakeConnection {
  /** The subprotocols that the client has offered. */
  readonly offered: readonly string[];
  /** Gives the next frame. Rejects when the connection closes instead. */
  next(): Promise<Frame>;
  /** Sends an object as JSON, and a text or bytes as they are. */
  send(frame: object | string | Uint8Array<ArrayBuffer>): void;
  sendChunk(id: number, payload: string | Uint8Array, fin?: boolean): void;
  /** Sends `hello` with these limits and usual ones. */
  greet(limits?: Partial<Limits>): void;
  /** Answers a request with a whole body. */
  respond(id: number, text: string, members?: object): void;
  /** Answers a request with a head whose body follows. */
  stream(id: number, members?: object): void;
  close(code?: number, reason?: string): void;
  /** Fulfils when the connection has closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** A running fake server. */
export interface FakeServer extends AsyncDisposable {
  /** `ws://…/ws` */
  readonly url: string;
  /** Gives the next connection that comes, or has come. */
  accept(): Promise<FakeConnection>;
  /** Handshakes so far. */
  readonly handshakes: () => number;
}

/** How a fake server behaves by itself. */
export interface FakeServerOptions {
  /** Sends `hello` at once, with these limits and usual ones; `false`: the test does. */
  readonly hello?: Partial<Limits> | false;
  /** Refuses the handshake with this status when it gives one; told how many came before. */
  readonly refuse?: (handshake: number) => number | undefined;
}

const LIMITS: Limits = {
  maxFrameBytes: 1_048_576,
  maxInFlight: 64,
  maxRequestBytes: 1_048_576,
  maxResponseBytes: 10_485_760,
  maxTimeoutMs: 60_000,
  maxKeptBytes: 1_000_000,
  windowBytes: 262_144,
};

/** Starts a fake server on a free port. */
export function startFakeServer(
  { hello = {}, refuse = () => undefined }: FakeServerOptions = {},
): FakeServer {
  const connections = createQueue<FakeConnection>();
  const open = new Set<WebSocket>();
  let handshakes = 0;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const status = refuse(handshakes++);
    if (status !== undefined) return new Response("refused", { status });
    const offered = request.headers.get("sec-websocket-protocol")?.split(", ") ?? [];
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: SUBPROTOCOL });
    open.add(socket);
    const connection = createConnection(socket, offered);
    socket.onopen = () => {
      if (hello !== false) connection.greet(hello);
      connections.put(connection);
    };
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/ws`,
    accept: connections.take,
    handshakes: () => handshakes,
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of open) socket.close();
      await server.shutdown();
    },
  };
}

function createConnection(socket: WebSocket, offered: readonly string[]): FakeConnection {
  const frames = createQueue<Frame>();
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) =>
    frames.put(
      typeof data === "string" ? JSON.parse(data) : { type: "chunk", ...decodeChunk(data) },
    );
  socket.onerror = () => {};
  socket.onclose = ({ code, reason }) => {
    frames.end(new Error(`The connection closed with ${code} ${reason}`));
    closed.resolve({ code, reason });
  };
  const connection: FakeConnection = {
    offered,
    next: frames.take,
    send(frame): void {
      if (typeof frame === "string" || frame instanceof Uint8Array) socket.send(frame);
      else socket.send(JSON.stringify(frame));
    },
    sendChunk(id, payload, fin = false): void {
      const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
      socket.send(encodeChunk({ id, payload: new Uint8Array(bytes), fin }));
    },
    greet(limits = {}): void {
      connection.send({
        type: "hello",
        protocol: SUBPROTOCOL,
        server: "fake/0",
        connection: "c1",
        identity: null,
        upstreams: [],
        limits: { ...LIMITS, ...limits },
      });
    },
    respond: (id, text, members = {}) => connection.send({ ...toHead(id), text, ...members }),
    stream: (id, members = {}) => connection.send({ ...toHead(id), stream: true, ...members }),
    close: (code, reason) => socket.close(code, reason),
    closed: closed.promise,
  };
  return connection;
}

function toHead(id: number): object {
  return {
    type: "response",
    id,
    status: 200,
    statusText: "OK",
    url: "http://upstream.example/",
    redirected: false,
    headers: [["content-type", "text/plain"]],
    timing: { waitMs: 1, totalMs: 1 },
  };
}

interface Queue<T> {
  put(item: T): void;
  take(): Promise<T>;
  /** Rejects those who wait and will wait. */
  end(error: Error): void;
}

function createQueue<T>(): Queue<T> {
  const items: T[] = [];
  const takers: PromiseWithResolvers<T>[] = [];
  let ended: Error | undefined;
  return {
    put(item): void {
      const taker = takers.shift();
      if (taker === undefined) items.push(item);
      else taker.resolve(item);
    },
    take(): Promise<T> {
      const item = items.shift();
      if (item !== undefined) return Promise.resolve(item);
      if (ended !== undefined) return Promise.reject(ended);
      const taker = Promise.withResolvers<T>();
      takers.push(taker);
      return taker.promise;
    },
    end(error): void {
      ended = error;
      for (const taker of takers.splice(0)) taker.reject(error);
    },
  };
}
