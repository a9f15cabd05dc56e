/**
 * Any response, however it is cut, is read exactly, and its connection is reused exactly when it may be.
 */
import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import fc from "fast-check";
import { createHttp1Client } from "../../../src/http/h1/client.ts";
import type { HeaderPairs } from "../../../src/protocol/mod.ts";
import { latin1 } from "../../helpers/upstream.ts";
import { createWire, type Wire } from "./wire.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The parts of a response and how it is read. */
interface ResponsePlan {
  readonly method: "GET" | "HEAD" | "POST";
  readonly status: number;
  readonly version: "1.0" | "1.1";
  readonly statusText: string;
  readonly headers: HeaderPairs;
  readonly framing: "length" | "chunked" | "close";
  readonly chunks: readonly { readonly data: Bytes; readonly extension: string }[];
  readonly trailers: string;
  readonly connection: "close" | "keep-alive" | undefined;
  readonly interim: number;
  /** Bytes after the response. */
  readonly excess: string;
  readonly lineEnd: "\r\n" | "\n";
  readonly reading: "bytes" | "chunks";
}

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/);
const FRAMING_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "transfer-encoding",
]);

const responsePlan: fc.Arbitrary<ResponsePlan> = fc.record({
  method: fc.constantFrom("GET", "HEAD", "POST"),
  status: fc.constantFrom(200, 201, 204, 206, 301, 304, 404, 500, 599, 999),
  version: fc.constantFrom("1.1", "1.1", "1.1", "1.0"),
  statusText: value,
  headers: fc.array(
    fc.tuple(token.filter((name) => !FRAMING_FIELDS.has(name.toLowerCase())), value),
    { maxLength: 8 },
  ),
  framing: fc.constantFrom("length", "chunked", "close"),
  chunks: fc.array(
    fc.record({
      data: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.tuple(fc.integer({ min: 1, max: 40_000 }), fc.nat(255)).map(([length, byte]) =>
          Uint8Array.from({ length }, (_, at) => at + byte)
        ),
      ).map((data) => new Uint8Array(data)),
      extension: fc.constantFrom("", "", ";a", " ; a=b", ';a="b;c"', "  "),
    }),
    { maxLength: 6 },
  ),
  trailers: fc.constantFrom("", "", "x: y\r\n", "x: y\r\nz:\r\n"),
  connection: fc.constantFrom(undefined, undefined, "close", "keep-alive"),
  interim: fc.constantFrom(0, 0, 0, 1, 3),
  excess: fc.constantFrom("", "", "", "x", "\r\n", "HTTP/1.1 200 OK\r\n\r\n"),
  lineEnd: fc.constantFrom("\r\n", "\r\n", "\n"),
  reading: fc.constantFrom("bytes", "chunks"),
});

function isBodiless({ method, status }: ResponsePlan): boolean {
  return method === "HEAD" || status === 204 || status === 304;
}

/** Returns the framing: HTTP/1.0 has no chunks. */
function framingOf({ framing, version }: ResponsePlan): ResponsePlan["framing"] {
  return framing === "chunked" && version === "1.0" ? "length" : framing;
}

function bodyOf({ chunks }: ResponsePlan): Bytes {
  return concat(chunks.map(({ data }) => data));
}

/** Returns the bytes of a response. */
function encode(it: ResponsePlan): Bytes {
  const { status, version, statusText, headers, chunks, trailers, connection, lineEnd } = it;
  const framing = framingOf(it);
  const length = bodyOf(it).length;
  const framed: HeaderPairs = framing === "length"
    ? [["Content-Length", String(length)]]
    : framing === "chunked"
    ? [["Transfer-Encoding", "Chunked"]]
    : [];
  const told: HeaderPairs = connection === undefined ? [] : [["Connection", connection]];
  const lines = [
    `HTTP/${version} ${status} ${statusText}`,
    ...[...headers, ...framed, ...told].map(([name, value]) => `${name}: ${value}`),
    "",
    "",
  ];
  const interim = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(it.interim);
  const parts = [latin1(interim + lines.join(lineEnd))];
  if (!isBodiless(it)) {
    for (const { data, extension } of chunks) {
      if (framing !== "chunked") parts.push(data);
      else parts.push(latin1(`${data.length.toString(16)}${extension}\r\n`), data, latin1("\r\n"));
    }
    if (framing === "chunked") parts.push(latin1(`0\r\n${trailers}\r\n`));
  }
  return concat([...parts, latin1(it.excess)]);
}

/** Reports whether the connection may be reused. */
function isReusable(it: ResponsePlan): boolean {
  const isKept = it.version === "1.1" ? it.connection !== "close" : it.connection === "keep-alive";
  return isKept && (isBodiless(it) || framingOf(it) !== "close") && it.excess === "";
}

/** Cuts bytes at some places, but not from index `whole` - 1 on. */
function cut(bytes: Bytes, places: readonly number[], whole: number): Bytes[] {
  const ends = [...new Set(places.map((place) => 1 + place % Math.max(1, whole - 1)))]
    .filter((end) => end < whole).toSorted((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.slice(ends[index - 1] ?? 0, end));
}

/** Waits until everything that is ready has run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("any response is read exactly, and its connection is reused exactly when it may be", async () => {
  const exchange = fc.tuple(responsePlan, fc.array(fc.nat(200_000), { maxLength: 30 }));
  await fc.assert(
    fc.asyncProperty(fc.array(exchange, { minLength: 1, maxLength: 4 }), async (exchanges) => {
      const wires: Wire[] = [];
      const connect = (): Promise<Wire> => {
        const wire = createWire();
        wires.push(wire);
        return Promise.resolve(wire);
      };
      using client = createHttp1Client({ connect });
      const { signal } = new AbortController();
      const url = new URL("http://a.invalid/");
      let connections = 0;
      let isKept = false;
      let hasSentUnasked = false;
      for (const [it, places] of exchanges) {
        const { method, reading } = it;
        const asking = client.request({ method, url, headers: [], body: null }, signal);
        if (!isKept) connections++;
        await turn();
        assertEquals(wires.length, connections);
        const bytes = encode(it);
        const whole = bytes.length - it.excess.length;
        // Bytes after a response that ends with the connection belong to it.
        const isOpenEnded = framingOf(it) === "close" && !isBodiless(it);
        for (const segment of cut(bytes, places, whole)) wires.at(-1)?.push(segment);
        if (isOpenEnded) wires.at(-1)?.push(null);
        const response = await asking;
        const { status, statusText, headers } = response;
        assertEquals([status, statusText], [it.status, it.statusText]);
        assertEquals(
          headers.filter(([name]) => !FRAMING_FIELDS.has(name)),
          it.headers.map(([name, value]) => [name.toLowerCase(), value]),
        );
        const body = reading === "bytes" ? await response.body.bytes(1_000_000) : concat(
          await Array.fromAsync(response.body.chunks(1_000_000), (piece) => piece.slice()),
        );
        const expected = isBodiless(it)
          ? new Uint8Array()
          : isOpenEnded
          ? concat([bodyOf(it), latin1(it.excess)])
          : bodyOf(it);
        assertEquals(body, expected);
        await turn();
        hasSentUnasked ||= it.excess.length > 0 && !isOpenEnded;
        isKept = isReusable(it) && !hasSentUnasked;
        assertEquals(wires.at(-1)?.isClosed(), !isKept);
      }
    }),
    { numRuns: 150 },
  );
});
