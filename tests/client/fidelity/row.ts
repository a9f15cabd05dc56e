/**
 * A row of the comparison between `fetch` and `client.fetch`, and how its response is observed.
 *
 * @module
 */
import type { Fetch, FetchInit } from "../../../src/client/mod.ts";
import { latin1, type RawConnection } from "../../helpers/upstream.ts";

/** A case in which `fetch` and `client.fetch` are compared. */
export interface Row {
  readonly name: string;
  /** The response of an HTTP server. Default: 200, `ok`. */
  readonly http?: (request: Request) => Response | Promise<Response>;
  /** The bytes that a TCP server sends instead after the request head, before it closes. */
  readonly raw?: string | Uint8Array<ArrayBuffer> | ((connection: RawConnection) => Promise<void>);
  /** The requests that the server has received are not compared: how much a failing call sends may differ. */
  readonly unseen?: true;
  /** Default `/`. */
  readonly path?: string;
  readonly init?: () => FetchInit;
  /** The body that browsers return without its coding, which Deno's `fetch` leaves. */
  readonly decoded?: string;
  /** Replaces the call. Its result is compared instead of the response. */
  readonly use?: (fetch: Fetch, url: string, arrived: Promise<void>) => Promise<unknown>;
}

const HOP_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "date",
  "keep-alive",
  "trailer",
  "transfer-encoding",
]);
const CODING_FIELDS: ReadonlySet<string> = new Set(["content-encoding", "content-length"]);

/** Returns the members of a response, its headers and its body or the failure of its body. */
export async function observe(response: Response): Promise<unknown> {
  const { status, statusText, ok, url, redirected, bodyUsed } = response;
  const isNull = response.body === null;
  return {
    ...{ status, statusText, ok, url, redirected, bodyUsed, isNull },
    headers: fieldsOf(response),
    body: await response.bytes().then((bytes) => [bytes.length, digest(bytes)], nameOf),
  };
}

function fieldsOf({ headers }: Response): [string, string][] {
  const isDecoded = /^(gzip|br)$/i.test(headers.get("content-encoding") ?? "");
  return [...headers].filter(([name]) =>
    !HOP_FIELDS.has(name) && !name.startsWith("proxy-") && !(isDecoded && CODING_FIELDS.has(name))
  );
}

/** Returns what a browser observes where Deno's `fetch` leaves the coding of a body. */
export function decodedAs(text: string, result: unknown): unknown {
  if (typeof result !== "object" || result === null || !("headers" in result)) return result;
  const { headers } = result;
  if (!Array.isArray(headers)) return result;
  return {
    ...result,
    headers: headers.filter(([name]) => !CODING_FIELDS.has(name)),
    body: [text.length, text],
  };
}

/** Returns a short body as text and a long one as its FNV-1a hash. */
function digest(bytes: Uint8Array): string | number {
  if (bytes.length < 1000) return new TextDecoder("latin1").decode(bytes);
  return bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5);
}

/** Returns the name of an error whose message may differ, and any other reason itself. */
export function nameOf(error: unknown): unknown {
  return error instanceof TypeError || error instanceof DOMException ? error.name : error;
}

/** The status line of a 200 response. */
export const OK_LINE = "HTTP/1.1 200 OK\r\n";

/** 1 MiB of bytes that are not all alike. */
export const MIB = Uint8Array.from({ length: 1_048_576 }, (_, at) => at % 251);

/** Returns a row that posts a body. */
export function post(body: () => BodyInit | null, headers: HeadersInit = {}): Partial<Row> {
  return { init: () => ({ method: "POST", body: body(), headers }) };
}

/** Returns a stream of these chunks. */
export function streamOf(...parts: string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(parts.map(latin1));
}

/** Returns a form with a repeated field and a file. */
export function formOf(): FormData {
  const form = new FormData();
  form.append("text", "é & \r\n");
  form.append("text", "again");
  form.append("file", new File([new Uint8Array([0, 255])], 'a "b".bin', { type: "x/y" }));
  return form;
}
