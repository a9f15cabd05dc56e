/**
 * A client of the service that sends frames and takes them one by one.
 *
 * @module
 */
import { decodeChunk, SUBPROTOCOL } from "../../src/protocol/mod.ts";

/** A frame as it came. */
// deno-lint-ignore no-explicit-any -- tests look at whatever comes
export type Frame = any;

/** A connection of a test. */
export interface TestClient extends AsyncDisposable {
  readonly webSocket: WebSocket;
  /** Sends an object as JSON, and a text or bytes as they are. */
  send(frame: object | string | Uint8Array<ArrayBuffer>): void;
  /** Gives the next message. Rejects when the connection closes instead. */
  nextMessage(): Promise<string | ArrayBuffer>;
  /** Gives the text of the next frame. */
  nextText(): Promise<string>;
  /** Gives the next frame; a binary one as the chunk that it holds. */
  next(): Promise<Frame>;
  /** Gives so many next frames, in the order that they came. */
  take(count: number): Promise<Frame[]>;
  /** Sends a frame and gives the next one. */
  ask(frame: object | string | Uint8Array<ArrayBuffer>): Promise<Frame>;
  /** Fulfils when the connection has closed, with the code and the reason. */
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** Connects with the plain dialect. */
export function connectPlain(url: string): Promise<TestClient> {
  return connect(url, []);
}

/** Connects with wsfetch.v1 and takes `hello`. */
export async function connectV1(url: string): Promise<TestClient> {
  const client = await connect(url, [SUBPROTOCOL]);
  await client.next();
  return client;
}

/** Connects with these subprotocols. */
export async function connect(url: string, protocols: string[]): Promise<TestClient> {
  const webSocket = new WebSocket(url, protocols);
  webSocket.binaryType = "arraybuffer";
  const frames: (string | ArrayBuffer)[] = [];
  const takers: PromiseWithResolvers<string | ArrayBuffer>[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const opened = Promise.withResolvers<void>();
  let ended: Error | undefined;

  webSocket.onopen = () => opened.resolve();
  webSocket.onmessage = ({ data }) => {
    const taker = takers.shift();
    if (taker === undefined) frames.push(data);
    else taker.resolve(data);
  };
  webSocket.onclose = ({ code, reason }) => {
    ended = new Error(`The connection closed with ${code} ${reason}`);
    opened.reject(ended);
    closed.resolve({ code, reason });
    for (const taker of takers) taker.reject(ended);
  };
  await opened.promise;

  const client: TestClient = {
    webSocket,
    send(frame): void {
      if (typeof frame === "string" || frame instanceof Uint8Array) webSocket.send(frame);
      else webSocket.send(JSON.stringify(frame));
    },
    nextMessage(): Promise<string | ArrayBuffer> {
      const frame = frames.shift();
      if (frame !== undefined) return Promise.resolve(frame);
      if (ended !== undefined) return Promise.reject(ended);
      const taker = Promise.withResolvers<string | ArrayBuffer>();
      takers.push(taker);
      return taker.promise;
    },
    nextText: async () => String(await client.nextMessage()),
    async next(): Promise<Frame> {
      const message = await client.nextMessage();
      return typeof message === "string" ? JSON.parse(message) : decodeChunk(message);
    },
    async take(count): Promise<Frame[]> {
      const taken: Frame[] = [];
      while (taken.length < count) taken.push(await client.next());
      return taken;
    },
    ask(frame): Promise<Frame> {
      client.send(frame);
      return client.next();
    },
    closed: closed.promise,
    async [Symbol.asyncDispose](): Promise<void> {
      webSocket.close();
      await closed.promise;
    },
  };
  return client;
}
