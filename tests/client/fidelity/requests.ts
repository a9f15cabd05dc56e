/**
 * Rows that compare the requests that are sent: methods, bodies and fields.
 *
 * @module
 */
import { formOf, MIB, post, type Row, streamOf } from "./row.ts";

const METHODS: readonly Row[] = [
  ...["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "post", "delete"].map(
    (method) => ({ name: `method ${method}`, init: () => ({ method }) }),
  ),
  ...["TRACE", "CONNECT", "a b", ""].map((method) => ({
    name: `method "${method}", which is invalid`,
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
  { name: "body: a subarray", ...post(() => new Uint8Array([1, 2, 3, 4]).subarray(1, 3)) },
  { name: "body: an empty array", ...post(() => new Uint8Array()) },
  { name: "body: a DataView", ...post(() => new DataView(new Uint8Array([1, 2, 3]).buffer, 1)) },
  { name: "body: a Uint16Array", ...post(() => new Uint16Array([1, 65535])) },
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
  { name: "body: a stream of one chunk", ...post(() => streamOf("one")) },
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
  { name: "body: a locked stream", ...post(lockedStream) },
  {
    name: "body: a string with another content type",
    ...post(() => "{}", { "content-type": "application/json" }),
  },
  {
    name: "body: URLSearchParams with another content type",
    ...post(() => new URLSearchParams("a=b"), { "content-type": "x/y" }),
  },
];

const FIELDS: readonly Row[] = [
  fields(
    "90 fields",
    Array.from({ length: 90 }, (_, at): [string, string] => [`x-${at}`, `${at}`]),
  ),
  fields("an empty value", { "x-empty": "" }),
  fields("white space around a value", { "x-space": " \t a  b \t" }),
  fields("repeated names", [["x-a", "1"], ["X-A", "2"]]),
  fields("a Headers object", new Headers({ accept: "application/json", "accept-language": "de" })),
  fields("cookies and credentials", { cookie: "a=1; b=2", authorization: "Bearer x" }),
  fields("an invalid value", { "x-a": "1\n2" }),
  fields("an invalid name", { "x a": "1" }),
  fields("a value outside Latin-1", { "x-a": "€" }),
  fields("origin and referrer", { origin: "http://a.example", referer: "http://a.example/b" }),
  fields("cache fields", {
    "if-none-match": '"a"',
    "cache-control": "no-cache",
    range: "bytes=0-1",
  }),
];

/** Rows that compare requests. */
export const REQUEST_ROWS: readonly Row[] = [...METHODS, ...BODIES, ...FIELDS];

function lockedStream(): ReadableStream {
  const stream = streamOf("x");
  stream.getReader();
  return stream;
}

function fields(name: string, headers: HeadersInit): Row {
  return { name: `request fields: ${name}`, init: () => ({ headers }) };
}
