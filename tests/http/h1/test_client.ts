/**
 * Requests by one HTTP/1.1 client, and servers that respond to several requests on one connection.
 *
 * @module
 */
import { systemClock } from "../../../src/clock.ts";
import { createHttp1Client, type Http1Options } from "../../../src/http/h1/client.ts";
import type { TransportRequest, TransportResponse } from "../../../src/http/transport.ts";
import type { HeaderPairs } from "../../../src/protocol/mod.ts";
import { type RawConnection, type RawUpstream, startRaw } from "../../helpers/upstream.ts";

/** How a body is read. */
export type Reading = "bytes" | "chunks";

/** Both ways to read a body. */
export const READINGS: readonly Reading[] = ["bytes", "chunks"];

/** A request and how its response is read. Default: GET without fields and body. */
export interface TestRequest extends Partial<Omit<TransportRequest, "url">> {
  readonly signal?: AbortSignal;
  readonly reading?: Reading;
  readonly maxBytes?: number;
}

/** A response whose body was read. */
export interface TestResponse {
  readonly status: number;
  readonly headers: HeaderPairs;
  /** One character per byte. */
  readonly text: string;
}

/** One HTTP/1.1 client. */
export interface TestClient extends Disposable {
  /** Makes a request and returns its response when the head has arrived. */
  fetchHead(url: string, request?: TestRequest): Promise<TransportResponse>;
  /** Makes a request and reads the body. */
  fetch(url: string, request?: TestRequest): Promise<TestResponse>;
}

/** Creates a client. */
export function createTestClient(options: Http1Options = {}): TestClient {
  const client = createHttp1Client(options);

  function fetchHead(
    url: string,
    { signal, ...request }: TestRequest = {},
  ): Promise<TransportResponse> {
    const whole = { method: "GET", headers: [], body: null, ...request, url: new URL(url) };
    return client.request(whole, signal ?? new AbortController().signal);
  }

  return {
    fetchHead,
    async fetch(url, request = {}): Promise<TestResponse> {
      const response = await fetchHead(url, request);
      const { status, headers } = response;
      return { status, headers, text: await readText(response, request) };
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

/** Reads a body as text, one character per byte. */
export async function readText(
  { body }: { readonly body: TransportResponse["body"] },
  { reading = "bytes", maxBytes = 10_000_000 }: TestRequest = {},
): Promise<string> {
  const decoder = new TextDecoder("latin1");
  if (reading === "bytes") return decoder.decode(await body.bytes(maxBytes));
  let text = "";
  for await (const chunk of body.chunks(maxBytes)) text += decoder.decode(chunk);
  return text;
}

/** Handles a request: returns text to send, `false` to close the connection, or nothing. */
export type Respond = (
  connection: RawConnection,
  request: { readonly head: string; readonly connection: number; readonly request: number },
) => string | void | false | Promise<string | void | false>;

/** Starts a server that handles one request after the other; connections and requests are counted from 1. */
export function startServer(respond: Respond): RawUpstream {
  let connections = 0;
  return startRaw(async (connection) => {
    const number = ++connections;
    for (let request = 1;; request++) {
      const head = await connection.readHead();
      if (head === "") return connection.close();
      const response = await respond(connection, { head, connection: number, request });
      if (response === false) return connection.close();
      if (response !== undefined) await connection.write(response);
    }
  });
}

/** Reads more text until all of it ends with `end`; returns all. */
export async function readUntil(
  connection: RawConnection,
  read: string,
  end: string,
): Promise<string> {
  let all = read;
  while (!all.endsWith(end)) {
    const more = await connection.read();
    if (more === "") throw new Error("The peer has closed");
    all += more;
  }
  return all;
}

/** Returns a response with a body of known length. */
export function ok(text: string, ...fields: readonly string[]): string {
  const lines = ["HTTP/1.1 200 OK", `content-length: ${text.length}`, ...fields];
  return `${lines.join("\r\n")}\r\n\r\n${text}`;
}

/** Returns a response with a chunked body. */
export function chunked(...texts: readonly string[]): string {
  const chunks = [...texts, ""].map((text) => `${text.length.toString(16)}\r\n${text}\r\n`);
  return `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks.join("")}`;
}

/** Waits until connections that have just become idle are offered again. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise<void>((resolve) => systemClock.soon(resolve));
  }
}
