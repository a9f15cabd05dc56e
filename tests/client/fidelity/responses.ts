/**
 * Rows that compare the responses that are received: statuses, codings, framing and fields.
 *
 * @module
 */
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { latin1 } from "../../helpers/upstream.ts";
import { MIB, OK_LINE, type Row } from "./row.ts";

const PLAIN = "plain text, which is long enough to be worth compressing. ".repeat(4);
const GZIP = gzipSync(PLAIN);
const BR = brotliCompressSync(PLAIN);

const STATUSES: readonly Row[] = [
  ...[200, 201, 202, 203, 204, 205, 206, 207, 226, 299, 300, 304, 305, 399].map(statusRow),
  ...[400, 401, 404, 407, 410, 418, 421, 429, 451, 499, 500, 502, 503, 504, 511, 599].map(
    statusRow,
  ),
  {
    name: "status 103 before 200",
    raw: `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK_LINE}content-length: 2\r\n\r\nok`,
  },
  {
    name: "status 100 before 200",
    raw: `HTTP/1.1 100 Continue\r\n\r\n${OK_LINE}content-length: 2\r\n\r\nok`,
  },
  { name: "status 600", raw: "HTTP/1.1 600 Odd\r\ncontent-length: 2\r\n\r\nok" },
  { name: "status 999", raw: "HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nok" },
  { name: "status 42, which is invalid", raw: "HTTP/1.1 42 Odd\r\ncontent-length: 2\r\n\r\nok" },
  { name: "an unusual status text", raw: "HTTP/1.1 200 Very well\r\ncontent-length: 0\r\n\r\n" },
  { name: "an empty status text", raw: "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n" },
  { name: "no status text", raw: "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n" },
];

const CODINGS: readonly Row[] = [
  { name: "coding gzip", ...coded("gzip", GZIP) },
  { name: "coding br", ...coded("br", BR) },
  { name: "coding GZIP", ...coded("GZIP", GZIP) },
  { name: "coding x-gzip", ...coded("x-gzip", GZIP), decoded: PLAIN },
  { name: "coding deflate", ...coded("deflate", deflateSync(PLAIN)), decoded: PLAIN },
  { name: "coding raw deflate", ...coded("deflate", deflateRawSync(PLAIN)), decoded: PLAIN },
  { name: "coding zstd", ...coded("zstd", zstdCompressSync(PLAIN)), decoded: PLAIN },
  { name: "codings gzip, br", ...coded("gzip, br", brotliCompressSync(GZIP)), decoded: PLAIN },
  { name: "codings gzip, x", ...coded("gzip, x", latin1(PLAIN)) },
  { name: "coding identity", ...coded("identity", latin1(PLAIN)) },
  { name: "an unknown coding", ...coded("x-unknown", latin1(PLAIN)) },
  { name: "coding gzip, 1 MiB", ...coded("gzip", gzipSync(MIB)) },
  { name: "coding br, 1 MiB", ...coded("br", brotliCompressSync(MIB.subarray(0, 300_000))) },
  { name: "coding gzip, of an empty body", ...coded("gzip", gzipSync("")) },
  { name: "coding gzip, without any bytes", ...coded("gzip", new Uint8Array()) },
  { name: "coding gzip, invalid", ...coded("gzip", latin1("this is no gzip at all")) },
  { name: "coding br, invalid", ...coded("br", latin1("this is no brotli at all")) },
  { name: "coding gzip, cut off", ...coded("gzip", GZIP.subarray(0, 30)) },
  { name: "coding br, cut off", ...coded("br", BR.subarray(0, BR.length - 4)) },
  { name: "coding gzip of HEAD", ...coded("gzip", GZIP), init: () => ({ method: "HEAD" }) },
  {
    name: "coding gzip although identity was requested",
    ...coded("gzip", GZIP),
    init: () => ({ headers: { "accept-encoding": "identity" } }),
    decoded: PLAIN,
  },
  {
    name: "coding gzip of a range",
    ...coded("gzip", GZIP),
    init: () => ({ headers: { range: "bytes=0-" } }),
    decoded: PLAIN,
  },
];

const FRAMINGS: readonly Row[] = [
  {
    name: "chunked",
    raw: `${OK_LINE}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n`,
  },
  { name: "chunked and empty", raw: `${OK_LINE}transfer-encoding: chunked\r\n\r\n0\r\n\r\n` },
  {
    name: "chunked with extensions",
    raw: `${OK_LINE}transfer-encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0;c\r\n\r\n`,
  },
  {
    name: "trailers",
    raw:
      `${OK_LINE}transfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n2\r\nab\r\n0\r\nx-t: 1\r\n\r\n`,
  },
  { name: "without a length", raw: `${OK_LINE}\r\nuntil the end` },
  { name: "HTTP/1.0 without a length", raw: "HTTP/1.0 200 OK\r\nx-a: b\r\n\r\nuntil the end" },
  { name: "HTTP/1.0 with a length", raw: "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab" },
  { name: "an empty body without a length", raw: `${OK_LINE}\r\n` },
  { name: "an empty body", raw: `${OK_LINE}content-length: 0\r\n\r\n` },
  {
    name: "a body longer than its length",
    raw: `${OK_LINE}content-length: 2\r\nconnection: close\r\n\r\nabcd`,
  },
  {
    name: "a length in the response to HEAD",
    raw: `${OK_LINE}content-length: 99\r\n\r\n`,
    ...head(),
  },
  { name: "a length with 304", raw: "HTTP/1.1 304 Same\r\ncontent-length: 9\r\n\r\n" },
  { name: "an invalid length", raw: `${OK_LINE}content-length: x\r\n\r\nab` },
  { name: "two lengths", raw: `${OK_LINE}content-length: 2\r\ncontent-length: 3\r\n\r\nabc` },
  { name: "1 MiB", http: () => new Response(MIB) },
  { name: "1 MiB without a length", http: () => new Response(new Blob([MIB]).stream()) },
  { name: "16 KiB", http: () => new Response(MIB.subarray(0, 16_384)) },
  { name: "one byte more than 16 KiB", http: () => new Response(MIB.subarray(0, 16_385)) },
  { name: "a byte order mark", http: () => new Response("\ufeffmarked") },
  { name: "a response that is not HTTP", raw: "SSH-2.0-OpenSSH_9.2p1\r\n\r\n" },
  { name: "HTTP/3.0", raw: "HTTP/3.0 200 OK\r\ncontent-length: 2\r\n\r\nok" },
];

const FIELDS: readonly Row[] = [
  fields("90 fields", Array.from({ length: 90 }, (_, at) => `x-${at}: ${at}`).join("\r\n")),
  fields("a value of 8 KiB", `x-long: ${"a".repeat(8192)}`),
  fields("an empty value", "x-empty:\r\nx-blank:   "),
  fields("white space around a value", "x-space: \t a  b \t "),
  fields("Latin-1", "x-latin: \xe9\xff"),
  fields("UTF-8", "x-utf: \xc3\xa9"),
  fields("repeated names", "x-a: 1\r\nX-A: 2\r\nx-a: 1"),
  fields("a list with a quoted string", 'x-a: "1, 2", 3'),
  fields("multiple Set-Cookie", "set-cookie: a=1; Path=/\r\nset-cookie: b=2\r\nset-cookie:"),
  fields("upper-case names", "X-UPPER-Case: Value"),
  fields("a name with all symbols", "x!#$%&'*+-.^_`|~: 1"),
  fields("hop-by-hop fields", "keep-alive: timeout=5\r\nproxy-authenticate: Basic"),
  fields(
    "fields that CORS would hide",
    "access-control-allow-origin: null\r\nserver: x\r\nvia: 1.1 y",
  ),
  ...["text/html", "TEXT/HTML; Charset=UTF-8", "application/json", "x", ""].map((type) =>
    fields(`content type "${type}"`, `content-type: ${type}`)
  ),
  fields("two content types", "content-type: text/html\r\ncontent-type: text/plain"),
];

/** Rows that compare responses. */
export const RESPONSE_ROWS: readonly Row[] = [...STATUSES, ...CODINGS, ...FRAMINGS, ...FIELDS];

function statusRow(status: number): Row {
  const isBodiless = status === 204 || status === 205 || status === 304;
  const rest = isBodiless ? "\r\n" : "content-length: 4\r\n\r\nbody";
  return { name: `status ${status}`, raw: `HTTP/1.1 ${status} Text\r\nx-a: b\r\n${rest}` };
}

function coded(coding: string, body: Uint8Array<ArrayBufferLike>): Partial<Row> {
  const headers = { "content-encoding": coding, "content-type": "text/plain" };
  return {
    http: () => new Response(new Uint8Array(body), { headers }),
    init: () => ({ headers: { "accept-encoding": coding } }),
  };
}

function head(): Partial<Row> {
  return { init: () => ({ method: "HEAD" }) };
}

function fields(name: string, lines: string): Row {
  return {
    name: `response fields: ${name}`,
    raw: `${OK_LINE}${lines}\r\ncontent-length: 2\r\n\r\nok`,
  };
}
