/**
 * Requests by one HTTP/1.1 client, and servers that answer several on one connection.
 *
 * @module
 */
import type { TransportRequest, TransportResponse } from "../../../src/http/transport.ts";
import {
  createHttp1Client,
  type Http1ClientDeps,
  type Http1ClientOptions,
} from "../../../src/http/h1/client.ts";
import type { HeaderPairs } from "../../../src/protocol/mod.ts";
import { type RawConnection, type RawUpstream, startRaw } from "../../helpers/upstream.ts";

/** How a body is read. */
export type Reading = "bytes" | "chunks";

/** A request, less what is usual. */
export interface Asked extends Partial<Omit<TransportRequest, "url">> {
  readonly signal?: AbortSignal;
  readonly reading?: Reading;
  readonly maxBytes?: number;
}

/** A response that was read to its end. */
export interface Answered {
  readonly status: number;
  readonly headers: HeaderPairs;
  /** One byte a character. */
  readonly text: string;
}

/** One client. */
export interface Asker extends Disposable {
  /** Makes a request up to the head of its response. */
  head(url: string, asked?: Asked): Promise<TransportResponse>;
  /** Makes a request and reads the body. */
  ask(url: string, asked?: Asked): Promise<Answered>;
}

/** Creates a client. */
export function createAsker(
  options: Partial<Http1ClientOptions> = {},
  deps: Http1ClientDeps = {},
): Asker {
  const client = createHttp1Client({ maxIdlePerHost: 4, ...options }, deps);

  function head(url: string, { signal, ...asked }: Asked = {}): Promise<TransportResponse> {
    const request = { method: "GET", headers: [], body: null, ...asked, url: new URL(url) };
    return client.request(request, signal ?? new AbortController().signal);
  }

  return {
    head,
    async ask(url, asked = {}): Promise<Answered> {
      const response = await head(url, asked);
      const { status, headers } = response;
      return { status, headers, text: await readText(response, asked) };
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

/** Reads a body as text, one byte a character. */
export async function readText(
  response: TransportResponse,
  { reading = "bytes", maxBytes = 10_000_000 }: Pick<Asked, "reading" | "maxBytes"> = {},
): Promise<string> {
  const decoder = new TextDecoder("latin1");
  if (reading === "bytes") return decoder.decode(await response.bytes(maxBytes));
  let text = "";
  for await (const chunk of response.chunks(maxBytes)) text += decoder.decode(chunk);
  return text;
}

/** What a server does with a request: sends a text, or whatever. It closes the connection behind `false`. */
export type Reply = (
  connection: RawConnection,
  request: { readonly head: string; readonly connection: number; readonly request: number },
) => string | void | false | Promise<string | void | false>;

/** Starts a server that answers one request after the other; both are counted from 1. */
export function startServer(reply: Reply): RawUpstream {
  let connections = 0;
  return startRaw(async (connection) => {
    const number = ++connections;
    for (let request = 1;; request++) {
      const head = await connection.readHead();
      if (head === "") return connection.close();
      const answer = await reply(connection, { head, connection: number, request });
      if (answer === false) return connection.close();
      if (answer !== undefined) await connection.write(answer);
    }
  });
}

/** Reads on behind what was read, until all of it ends so. */
export async function readOn(
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

/** A response with a body of known length. */
export function ok(text: string, ...fields: readonly string[]): string {
  const lines = ["HTTP/1.1 200 OK", `content-length: ${text.length}`, ...fields];
  return `${lines.join("\r\n")}\r\n\r\n${text}`;
}

/** A body of chunks. */
export function chunked(...texts: readonly string[]): string {
  const chunks = [...texts, ""].map((text) => `${text.length.toString(16)}\r\n${text}\r\n`);
  return `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks.join("")}`;
}
