/**
 * What is compared between fetch and the client, row by row.
 *
 * @module
 */
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import type { Fetch, FetchInit } from "../../src/client/mod.ts";
import { latin1, type RawConnection } from "../helpers/upstream.ts";

/** One comparison. */
export interface Row {
  readonly name: string;
  /** What the HTTP server answers. Default: 200, `ok`. */
  readonly http?: (request: Request) => Response | Promise<Response>;
  /** What a TCP server sends instead, behind a request's head and before it closes. */
  readonly raw?: string | Uint8Array<ArrayBuffer> | ((connection: RawConnection) => Promise<void>);
  /** How far a call comes that fails is everyone's own, so what the server saw is not compared. */
  readonly unseen?: true;
  /** Default `/`. */
  readonly path?: string;
  readonly init?: () => FetchInit;
  /** What is done instead of one call whose response is read; what it gives is compared. */
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

/** Gives all that a response says, read to its end or to its failure. */
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

/** Short bodies as text, long ones as a number (FNV-1a). */
function digest(bytes: Uint8Array): string | number {
  if (bytes.length < 1000) return new TextDecoder("latin1").decode(bytes);
  return bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5);
}

/** A `TypeError` and an `AbortError` have other words from everyone; a reason is to be the same. */
export function nameOf(error: unknown): unknown {
  return error instanceof TypeError || error instanceof DOMException ? error.name : error;
}

const ok = "HTTP/1.1 200 OK\r\n";
const PLAIN = "plain text, which is long enough to be worth a coding. ".repeat(4);
const MIB = Uint8Array.from({ length: 1_048_576 }, (_, at) => at % 251);

function post(body: () => BodyInit | null, headers: HeadersInit = {}): Pick<Row, "init"> {
  return { init: () => ({ method: "POST", body: body(), headers }) };
}

function streamOf(...parts: string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(parts.map(latin1));
}

function formOf(): FormData {
  const form = new FormData();
  form.append("text", "é & \r\n");
  form.append("text", "again");
  form.append("file", new File([new Uint8Array([0, 255])], 'a "b".bin', { type: "x/y" }));
  return form;
}

const METHODS: readonly Row[] = [
  ...["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "post", "delete"].map(
    (method) => ({ name: `method ${method}`, init: () => ({ method }) }),
  ),
  ...["TRACE", "CONNECT", "a b", ""].map((method) => ({
    name: `method "${method}", which is refused`,
    init: () => ({ method }),
  })),
  ...["PUT", "PATCH", "DELETE", "OPTIONS"].map((method) => ({
    name: `${method} with a body`,
    init: () => ({ method, body: "body" }),
  })),
  { name: "GET with a body", init: () => ({ body: "body" }) },
];

const BODIES: readonly Row[] = [
  { name: "body: a string", ...post(() => "é€😀") },
  { name: "body: a lone surrogate", ...post(() => "\ud800") },
  { name: "body: an empty string", ...post(() => "") },
  { name: "body: null", ...post(() => null) },
  { name: "body: bytes", ...post(() => new Uint8Array([0, 255, 128, 10])) },
  { name: "body: a part of bytes", ...post(() => new Uint8Array([1, 2, 3, 4]).subarray(1, 3)) },
  { name: "body: no bytes", ...post(() => new Uint8Array()) },
  { name: "body: a DataView", ...post(() => new DataView(new Uint8Array([1, 2, 3]).buffer, 1)) },
  { name: "body: wide numbers", ...post(() => new Uint16Array([1, 65535])) },
  { name: "body: an ArrayBuffer", ...post(() => new Uint8Array([9, 8]).buffer) },
  { name: "body: a Blob with a type", ...post(() => new Blob(["b"], { type: "x/y" })) },
  { name: "body: a Blob without a type", ...post(() => new Blob(["b"])) },
  { name: "body: an empty Blob", ...post(() => new Blob([])) },
  { name: "body: a File", ...post(() => new File(["f"], "f.txt", { type: "text/plain" })) },
  { name: "body: FormData", ...post(formOf) },
  { name: "body: empty FormData", ...post(() => new FormData()) },
  { name: "body: URLSearchParams", ...post(() => new URLSearchParams({ a: "b c", é: "&" })) },
  { name: "body: a stream", ...post(() => streamOf("one ", "two")) },
  { name: "body: an empty stream", ...post(() => streamOf()) },
  { name: "body: a stream of one part", ...post(() => streamOf("one")) },
  { name: "body: 1 MiB", ...post(() => MIB) },
  { name: "body: a Blob of 1 MiB", ...post(() => new Blob([MIB])) },
  {
    name: "body: a long stream",
    ...post(() => streamOf(...Array.from({ length: 300 }, (_, at) => `${at} `.repeat(500)))),
  },
  {
    name: "body: a stream that fails",
    unseen: true,
    use: (fetch, url) => {
      const body = new ReadableStream({ start: (it) => it.error(new TypeError("broken")) });
      return fetch(url, { method: "POST", body });
    },
    raw: (connection) => connection.peerClosed(),
  },
  { name: "body: a stream that was read", ...post(readStream) },
  {
    name: "body: with a content type of its own",
    ...post(() => "{}", { "content-type": "application/json" }),
  },
  {
    name: "body: URLSearchParams with a content type of its own",
    ...post(() => new URLSearchParams("a=b"), { "content-type": "x/y" }),
  },
];

function readStream(): ReadableStream {
  const stream = streamOf("x");
  stream.getReader();
  return stream;
}

const STATUSES: readonly Row[] = [
  ...[200, 201, 202, 203, 204, 205, 206, 207, 226, 299, 300, 304, 305, 399].map(statusRow),
  ...[400, 401, 404, 407, 410, 418, 421, 429, 451, 499, 500, 502, 503, 504, 511, 599].map(
    statusRow,
  ),
  {
    name: "status 103 before 200",
    raw: `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${ok}content-length: 2\r\n\r\nok`,
  },
  {
    name: "status 100 before 200",
    raw: `HTTP/1.1 100 Continue\r\n\r\n${ok}content-length: 2\r\n\r\nok`,
  },
  { name: "status 600", raw: "HTTP/1.1 600 Odd\r\ncontent-length: 2\r\n\r\nok" },
  { name: "status 999", raw: "HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nok" },
  { name: "status 42, which is none", raw: "HTTP/1.1 42 Odd\r\ncontent-length: 2\r\n\r\nok" },
  { name: "a status text of its own", raw: "HTTP/1.1 200 Very well\r\ncontent-length: 0\r\n\r\n" },
  { name: "an empty status text", raw: "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n" },
  { name: "no status text", raw: "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n" },
];

function statusRow(status: number): Row {
  const isBodiless = status === 204 || status === 205 || status === 304;
  const rest = isBodiless ? "\r\n" : "content-length: 4\r\n\r\nbody";
  return { name: `status ${status}`, raw: `HTTP/1.1 ${status} Text\r\nx-a: b\r\n${rest}` };
}

/** Redirects `/to/<status>/<rest>` to `<rest>`. */
function redirector({ url }: Request): Response {
  const { pathname, search } = new URL(url);
  const [, status, location] = /^\/to\/(\d+)\/(.*)$/.exec(pathname + search) ?? [];
  if (status === undefined) return new Response("arrived");
  const headers = { location: decodeURIComponent(location ?? "") };
  return new Response("moved", { status: Number(status), headers });
}

const REDIRECT_STATUSES = [301, 302, 303, 307, 308] as const;
const MODES: readonly RequestRedirect[] = ["follow", "error", "manual"];

const REDIRECTS: readonly Row[] = [
  ...REDIRECT_STATUSES.flatMap((status) =>
    MODES.flatMap((redirect) =>
      ["GET", "POST"].map((method) => ({
        name: `redirect ${status} of ${method}, mode ${redirect}`,
        http: redirector,
        path: `/to/${status}//there?a=b`,
        init: () => ({ redirect, method, ...(method === "POST" && { body: "body" }) }),
      }))
    )
  ),
  ...[
    { name: "of HEAD", path: "/to/303//there", init: () => ({ method: "HEAD" }) },
    { name: "of PUT with 303", path: "/to/303//there", ...put("body") },
    { name: "of PUT with 301", path: "/to/301//there", ...put("body") },
    { name: "of DELETE with 302", path: "/to/302//there", init: () => ({ method: "DELETE" }) },
    { name: "of a stream with 307", path: "/to/307//there", ...post(() => longStream()) },
    { name: "of a stream with 303", path: "/to/303//there", ...post(() => longStream()) },
    { name: "of bytes with 308", path: "/to/308//there", ...post(() => new Uint8Array([0])) },
    { name: "that is relative", path: "/to/302/.%2F..%2Fthere" },
    { name: "that is relative to the parent", path: "/to/302/..%2F..%2F..%2Fthere" },
    { name: "to a query", path: "/to/302/%3Fa=b", http: toQuery },
    { name: "to a path with letters beyond ASCII", path: "/to/302//%25C3%25A9" },
    { name: "with a fragment", path: "/to/302//there%23fragment" },
    { name: "of a URL with a fragment", path: "/to/302//there#fragment" },
    { name: "in a chain", path: "/to/301//to/302//to/303//to/307//to/308//there" },
    { name: "in a chain, of a POST", path: "/to/308//to/301//there", ...post(() => "body") },
    { name: "to an error", path: "/to/302//to/404/" },
    { name: "to what is no URL", path: "/to/302/http:%2F%2F%5B" },
    { name: "to another scheme", path: "/to/302/ftp:%2F%2F127.0.0.1%2F" },
    { name: "to data:", path: "/to/302/data:text%2Fplain,x" },
    { name: "of 300, which is none", path: "/to/300//there" },
    { name: "of 304, which is none", path: "/to/304//there", http: notModified },
    {
      name: "in a loop",
      http: ({ url }: Request) => Response.redirect(url),
      unseen: true as const,
    },
    {
      name: "with headers of the body",
      path: "/to/301//there",
      ...post(() => "body", { "content-language": "en", "x-kept": "1" }),
    },
    {
      name: "with authorization, to the same origin",
      path: "/to/302//there",
      init: () => ({ headers: { authorization: "Basic eA==", "x-kept": "1" } }),
    },
  ].map((row): Row => ({ http: redirector, ...row, name: `redirect ${row.name}` })),
  {
    name: "redirect with authorization, to another origin",
    http: (request) => {
      const { port, pathname } = new URL(request.url);
      if (pathname !== "/") return new Response("arrived");
      return Response.redirect(`http://localhost:${port}/there`, 307);
    },
    ...post(() => "body", { authorization: "Basic eA==", "x-kept": "1" }),
  },
];

function put(body: BodyInit): Pick<Row, "init"> {
  return { init: () => ({ method: "PUT", body }) };
}

function longStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
  return streamOf(...Array.from({ length: 20 }, () => "x".repeat(1000)));
}

function toQuery({ url }: Request): Response {
  const headers = { location: "?a=b" };
  return url.endsWith("?a=b")
    ? new Response("arrived")
    : new Response(null, { status: 302, headers });
}

function notModified(): Response {
  return new Response(null, { status: 304, headers: { location: "/there" } });
}

function coded(coding: string, body: Uint8Array<ArrayBufferLike>): Pick<Row, "http" | "init"> {
  const headers = { "content-encoding": coding, "content-type": "text/plain" };
  return {
    http: () => new Response(new Uint8Array(body), { headers }),
    init: () => ({ headers: { "accept-encoding": coding } }),
  };
}

const GZIP = gzipSync(PLAIN);
const BR = brotliCompressSync(PLAIN);

const CODINGS: readonly Row[] = [
  { name: "coding gzip", ...coded("gzip", GZIP) },
  { name: "coding br", ...coded("br", BR) },
  { name: "coding GZIP", ...coded("GZIP", GZIP) },
  { name: "coding x-gzip", ...coded("x-gzip", GZIP) },
  { name: "coding deflate", ...coded("deflate", deflateSync(PLAIN)) },
  { name: "coding identity", ...coded("identity", latin1(PLAIN)) },
  { name: "coding that nobody knows", ...coded("x-unknown", latin1(PLAIN)) },
  { name: "coding gzip, 1 MiB", ...coded("gzip", gzipSync(MIB)) },
  { name: "coding br, 1 MiB", ...coded("br", brotliCompressSync(MIB.subarray(0, 300_000))) },
  { name: "coding gzip, of nothing", ...coded("gzip", gzipSync("")) },
  { name: "coding gzip, empty", ...coded("gzip", new Uint8Array()) },
  { name: "coding gzip, broken", ...coded("gzip", latin1("this is no gzip at all")) },
  { name: "coding br, broken", ...coded("br", latin1("this is no brotli at all")) },
  { name: "coding gzip, cut off", ...coded("gzip", GZIP.subarray(0, 30)) },
  { name: "coding br, cut off", ...coded("br", BR.subarray(0, BR.length - 4)) },
  { name: "coding gzip of HEAD", ...coded("gzip", GZIP), init: () => ({ method: "HEAD" }) },
  {
    name: "coding gzip that identity was asked for",
    ...coded("gzip", GZIP),
    init: () => ({ headers: { "accept-encoding": "identity" } }),
  },
  {
    name: "coding gzip of a range",
    ...coded("gzip", GZIP),
    init: () => ({ headers: { range: "bytes=0-" } }),
  },
];

const FRAMINGS: readonly Row[] = [
  {
    name: "chunked",
    raw: `${ok}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n`,
  },
  { name: "chunked and empty", raw: `${ok}transfer-encoding: chunked\r\n\r\n0\r\n\r\n` },
  {
    name: "chunked with extensions",
    raw: `${ok}transfer-encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0;c\r\n\r\n`,
  },
  {
    name: "trailers",
    raw: `${ok}transfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n2\r\nab\r\n0\r\nx-t: 1\r\n\r\n`,
  },
  { name: "without a length", raw: `${ok}\r\nuntil the end` },
  { name: "HTTP/1.0 without a length", raw: "HTTP/1.0 200 OK\r\nx-a: b\r\n\r\nuntil the end" },
  { name: "HTTP/1.0 with a length", raw: "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab" },
  { name: "without a length and empty", raw: `${ok}\r\n` },
  { name: "an empty body", raw: `${ok}content-length: 0\r\n\r\n` },
  { name: "more than the length", raw: `${ok}content-length: 2\r\nconnection: close\r\n\r\nabcd` },
  { name: "the length of HEAD", raw: `${ok}content-length: 99\r\n\r\n`, ...head() },
  { name: "a length beside 304", raw: "HTTP/1.1 304 Same\r\ncontent-length: 9\r\n\r\n" },
  { name: "a length that is none", raw: `${ok}content-length: x\r\n\r\nab` },
  { name: "two lengths", raw: `${ok}content-length: 2\r\ncontent-length: 3\r\n\r\nabc` },
  { name: "1 MiB", http: () => new Response(MIB) },
  { name: "1 MiB without a length", http: () => new Response(new Blob([MIB]).stream()) },
  { name: "16 KiB", http: () => new Response(MIB.subarray(0, 16_384)) },
  { name: "one byte more than 16 KiB", http: () => new Response(MIB.subarray(0, 16_385)) },
  { name: "a byte order mark", http: () => new Response("\ufeffmarked") },
  { name: "no HTTP", raw: "SSH-2.0-OpenSSH_9.2p1\r\n\r\n" },
  { name: "HTTP/3.0", raw: "HTTP/3.0 200 OK\r\ncontent-length: 2\r\n\r\nok" },
];

function head(): Pick<Row, "init"> {
  return { init: () => ({ method: "HEAD" }) };
}

function fields(name: string, lines: string): Row {
  return { name: `response fields: ${name}`, raw: `${ok}${lines}\r\ncontent-length: 2\r\n\r\nok` };
}

function sent(name: string, headers: HeadersInit): Row {
  return { name: `request fields: ${name}`, init: () => ({ headers }) };
}

const FIELDS: readonly Row[] = [
  fields("many", Array.from({ length: 90 }, (_, at) => `x-${at}: ${at}`).join("\r\n")),
  fields("one of 8 KiB", `x-long: ${"a".repeat(8192)}`),
  fields("an empty value", "x-empty:\r\nx-blank:   "),
  fields("white space around a value", "x-space: \t a  b \t "),
  fields("letters beyond ASCII", "x-latin: \xe9\xff"),
  fields("UTF-8", "x-utf: \xc3\xa9"),
  fields("repeated", "x-a: 1\r\nX-A: 2\r\nx-a: 1"),
  fields("a list with quotes", 'x-a: "1, 2", 3'),
  fields("several Set-Cookie", "set-cookie: a=1; Path=/\r\nset-cookie: b=2\r\nset-cookie:"),
  fields("upper case", "X-UPPER-Case: Value"),
  fields("a name of symbols", "x!#$%&'*+-.^_`|~: 1"),
  fields("hop by hop", "keep-alive: timeout=5\r\nproxy-authenticate: Basic"),
  fields("that CORS would hide", "access-control-allow-origin: null\r\nserver: x\r\nvia: 1.1 y"),
  fields("a space before the colon", "x-a : 1"),
  fields("folded", "x-a: 1\r\n 2"),
  ...["text/html", "TEXT/HTML; Charset=UTF-8", "application/json", "x", ""].map((type) =>
    fields(`content type "${type}"`, `content-type: ${type}`)
  ),
  fields("two content types", "content-type: text/html\r\ncontent-type: text/plain"),
  sent("many", Array.from({ length: 90 }, (_, at): [string, string] => [`x-${at}`, `${at}`])),
  sent("an empty value", { "x-empty": "" }),
  sent("white space around a value", { "x-space": " \t a  b \t" }),
  sent("repeated", [["x-a", "1"], ["X-A", "2"]]),
  sent("a Headers object", new Headers({ accept: "application/json", "accept-language": "de" })),
  sent("cookies and credentials", { cookie: "a=1; b=2", authorization: "Bearer x" }),
  sent("a value that is none", { "x-a": "1\n2" }),
  sent("a name that is none", { "x a": "1" }),
  sent("a value beyond latin-1", { "x-a": "€" }),
  sent("origin and referrer", { origin: "http://a.example", referer: "http://a.example/b" }),
  sent("of a cache", { "if-none-match": '"a"', "cache-control": "no-cache", range: "bytes=0-1" }),
];

/** Stays silent, or goes silent behind `text`, until the caller leaves. */
function silentAfter(text: string): Pick<Row, "raw"> {
  return {
    raw: async (connection) => {
      if (text !== "") await connection.write(text);
      await connection.peerClosed();
    },
  };
}

const REASON = new RangeError("enough");

const ABORTS: readonly Row[] = [
  { name: "abort before the call", init: () => ({ signal: AbortSignal.abort() }) },
  { name: "abort before the call, with a reason", init: () => ({ signal: AbortSignal.abort(7) }) },
  { name: "abort in the call", unseen: true, use: (fetch, url) => abortNow(fetch, url, undefined) },
  {
    name: "abort in the call, with a reason",
    unseen: true,
    use: (fetch, url) => abortNow(fetch, url, REASON),
  },
  ...[
    { name: "before the head", text: "" },
    { name: "inside the head", text: `${ok}x-a: b\r\n` },
  ].flatMap(({ name, text }) =>
    [undefined, REASON].map((reason): Row => ({
      name: `abort ${name}${reason ? ", with a reason" : ""}`,
      ...silentAfter(text),
      use: async (fetch, url, arrived) => {
        const abort = new AbortController();
        const call = fetch(url, { signal: abort.signal });
        call.catch(() => {});
        await arrived;
        abort.abort(reason);
        return await call;
      },
    }))
  ),
  ...[
    { name: "a chunked body", text: `${ok}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n` },
    { name: "a long body", text: `${ok}content-length: 100000\r\n\r\nab` },
  ].flatMap(({ name, text }) =>
    [undefined, REASON].map((reason): Row => ({
      name: `abort inside ${name}${reason ? ", with a reason" : ""}`,
      ...silentAfter(text),
      use: async (fetch, url) => {
        const abort = new AbortController();
        const response = await fetch(url, { signal: abort.signal });
        const reader = response.body?.getReader();
        const first = await reader?.read();
        abort.abort(reason);
        return [response.status, first, await reader?.read().catch(nameOf)];
      },
    }))
  ),
  {
    name: "abort with a body that goes on",
    ...silentAfter(""),
    use: async (fetch, url, arrived) => {
      const abort = new AbortController();
      const body = new ReadableStream({ start: (it) => it.enqueue(latin1("begun")) });
      const call = fetch(url, { method: "POST", body, signal: abort.signal });
      call.catch(() => {});
      await arrived;
      abort.abort();
      return await call;
    },
  },
  {
    name: "abort after the body",
    use: async (fetch, url) => {
      const abort = new AbortController();
      const response = await fetch(url, { signal: abort.signal });
      const text = await response.text();
      abort.abort();
      return [text, response.bodyUsed];
    },
  },
  {
    name: "abort of a Request's own signal",
    ...silentAfter(""),
    use: async (fetch, url, arrived) => {
      const abort = new AbortController();
      const call = fetch(new Request(url, { signal: abort.signal }));
      call.catch(() => {});
      await arrived;
      abort.abort(REASON);
      return await call;
    },
  },
  {
    name: "a signal of time",
    unseen: true,
    ...silentAfter(""),
    init: () => ({ signal: AbortSignal.timeout(50) }),
  },
  {
    name: "cancel of a body",
    ...silentAfter(`${ok}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n`),
    use: async (fetch, url) => {
      const response = await fetch(url);
      await response.body?.cancel();
      return [response.bodyUsed, await response.text().catch(nameOf)];
    },
  },
];

async function abortNow(fetch: Fetch, url: string, reason: unknown): Promise<unknown> {
  const abort = new AbortController();
  const call = fetch(url, { signal: abort.signal });
  abort.abort(reason);
  return await call;
}

const RESETS: readonly Row[] = [
  { name: "an end before the head", raw: "" },
  { name: "an end inside the status line", raw: "HTTP/1.1 20" },
  { name: "an end inside the head", raw: `${ok}x-a: b\r\nx-` },
  { name: "an end behind the head of a long body", raw: `${ok}content-length: 100000\r\n\r\n` },
  { name: "an end inside a long body", raw: `${ok}content-length: 100000\r\n\r\nab` },
  { name: "an end before the first chunk", raw: `${ok}transfer-encoding: chunked\r\n\r\n` },
  { name: "an end inside a chunk", raw: `${ok}transfer-encoding: chunked\r\n\r\n5\r\nab` },
  { name: "an end between chunks", raw: `${ok}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n` },
  { name: "an end inside a chunk's size", raw: `${ok}transfer-encoding: chunked\r\n\r\n2` },
  { name: "an end inside the trailers", raw: `${ok}transfer-encoding: chunked\r\n\r\n0\r\nx-t` },
  { name: "a chunk's size that is none", raw: `${ok}transfer-encoding: chunked\r\n\r\nxy\r\nab` },
  {
    name: "a reset with a body that is not read",
    raw: "",
    init: () => ({ method: "POST", body: MIB }),
  },
  {
    name: "a port where nobody listens",
    use: async (fetch) => {
      const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
      const { port } = listener.addr;
      listener.close();
      return await fetch(`http://127.0.0.1:${port}/`);
    },
  },
];

function used(name: string, use: NonNullable<Row["use"]>, http?: Row["http"]): Row {
  return { name, use, ...(http && { http }) };
}

const json = (): Response => Response.json({ a: [1, "é"] });
const APIS: readonly Row[] = [
  used("a URL object", async (fetch, url) => await observe(await fetch(new URL(url)))),
  used("a Request", async (fetch, url) => {
    const request = new Request(url, { method: "PUT", body: "body", headers: { "x-a": "b" } });
    const result = await observe(await fetch(request));
    return [result, request.bodyUsed];
  }),
  used("a Request and an init", async (fetch, url) => {
    const request = new Request(url, { method: "PUT", body: "body", headers: { "x-a": "b" } });
    return await observe(await fetch(request, { method: "POST", headers: { "x-c": "d" } }));
  }),
  used("a Request and another body", async (fetch, url) => {
    const request = new Request(url, { method: "PUT", body: "body" });
    return [await observe(await fetch(request, { body: "other" })), request.bodyUsed];
  }),
  used("a Request that was cloned", async (fetch, url) => {
    const request = new Request(url, { method: "POST", body: formOf() });
    const first = await observe(await fetch(request.clone()));
    return [first, await observe(await fetch(request))];
  }),
  used("a Request that was used", async (fetch, url) => {
    const request = new Request(url, { method: "POST", body: "body" });
    await request.text();
    return await fetch(request);
  }),
  used(
    "a Request with redirect error",
    async (fetch, url) =>
      await observe(await fetch(new Request(`${url}to/302//there`, { redirect: "error" }))),
    redirector,
  ),
  used("what is no URL", async (fetch) => await fetch("http://[")),
  used("a relative URL", async (fetch) => await fetch("/there")),
  used("a scheme that nobody knows", async (fetch) => await fetch("gopher://127.0.0.1/")),
  used(
    "a URL with odd letters",
    async (fetch, url) => await observe(await fetch(`${url}é/ /%2f/"|?ä=€&b=#fragment`)),
  ),
  used("a URL with dots", async (fetch, url) => await observe(await fetch(`${url}a/../b/./c`))),
  used("json()", async (fetch, url) => await (await fetch(url)).json(), json),
  used("json() of what is none", async (fetch, url) => {
    const error = await (await fetch(url)).json().catch((error: Error) => error.name);
    return error;
  }),
  used("text()", async (fetch, url) => await (await fetch(url)).text(), json),
  used(
    "text() behind a byte order mark",
    async (fetch, url) => await (await fetch(url)).text(),
    () => new Response("\ufeffmarked"),
  ),
  used(
    "text() of what is no UTF-8",
    async (fetch, url) => await (await fetch(url)).text(),
    () => new Response(new Uint8Array([0xef, 0xbb, 0xbf, 65, 0xff])),
  ),
  used(
    "arrayBuffer()",
    async (fetch, url) => [...new Uint8Array(await (await fetch(url)).arrayBuffer())],
    json,
  ),
  used("blob()", async (fetch, url) => {
    const blob = await (await fetch(url)).blob();
    return [blob.size, blob.type, await blob.text()];
  }, json),
  used("formData() of parts", async (fetch, url) => {
    const form = await (await fetch(url)).formData();
    return [form.getAll("text"), (form.get("file") as File).name];
  }, () => new Response(formOf())),
  used("formData() of a query", async (fetch, url) => {
    return [...await (await fetch(url)).formData()];
  }, () => new Response(new URLSearchParams("a=b+c&a=d"))),
  used("formData() of what is none", async (fetch, url) => await (await fetch(url)).formData()),
  used("clone()", async (fetch, url) => {
    const response = await fetch(url);
    const clone = response.clone();
    return [await observe(clone), await observe(response)];
  }, json),
  used("clone() of a clone, of a redirect", async (fetch, url) => {
    const response = await fetch(`${url}to/302//there`);
    const clone = response.clone();
    return await Promise.all([clone.clone(), clone, response].map(observe));
  }, redirector),
  used("clone() of what was read", async (fetch, url) => {
    const response = await fetch(url);
    await response.text();
    return response.clone();
  }),
  used("clone() of a null body", async (fetch, url) => {
    const response = await fetch(url, { method: "HEAD" });
    return [await observe(response.clone()), await observe(response)];
  }),
  used("reading twice", async (fetch, url) => {
    const response = await fetch(url);
    return [await response.text(), await response.text().catch(nameOf), response.bodyUsed];
  }),
  used("a locked body", async (fetch, url) => {
    const response = await fetch(url);
    const reader = response.body?.getReader();
    const error = await response.text().catch(nameOf);
    await reader?.cancel();
    return [error, response.bodyUsed];
  }),
  used("iterating over the body", async (fetch, url) => {
    let length = 0;
    for await (const part of (await fetch(url)).body ?? []) length += part.length;
    return length;
  }, () => new Response(MIB)),
];

/** Every row. */
export const ROWS: readonly Row[] = [
  ...METHODS,
  ...BODIES,
  ...STATUSES,
  ...REDIRECTS,
  ...CODINGS,
  ...FRAMINGS,
  ...FIELDS,
  ...ABORTS,
  ...RESETS,
  ...APIS,
];
