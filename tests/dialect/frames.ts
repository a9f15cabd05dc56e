/**
 * Frames of clients, valid and invalid, for the tests of the schemas.
 */
import fc from "fast-check";

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

const REQUEST = { type: "request", id: 1, url: "http://x/" };
const BELOW = { type: "request", id: 1, upstream: "a", path: "/" };
const GRANT = { type: "grant", id: 1, bytes: 1 };
const PING = { type: "ping" };
const AUTH = { type: "auth", token: "a" };
const CANCEL = { type: "cancel", id: 1 };

/** A number of header fields or query parameters. */
export function manyPairs(count: number): [name: string, value: string][] {
  return Array.from({ length: count }, (_, at) => [`a${at}`, ""]);
}

/** Valid frames of wsfetch.v1. */
export const VALID: readonly JsonObject[] = [
  REQUEST,
  { ...REQUEST, id: 4294967295, json: null, stream: false },
  { ...REQUEST, stream: true, windowBytes: 0, bodyFollows: true },
  { ...REQUEST, stream: true, windowBytes: 2 ** 53 - 1 },
  { ...REQUEST, stream: "events", method: "get", timeoutMs: 1, redirect: "manual", text: "" },
  { ...REQUEST, stream: "lines", redirect: "error", base64: "YQ==" },
  { ...REQUEST, decode: true },
  { ...REQUEST, decode: false },
  { ...REQUEST, headers: [["a", "b\té\xff"], ["a", ""]], redirect: "follow" },
  { ...REQUEST, headers: { a: "b", ["__proto__"]: "c" }, timeoutMs: 2 ** 53 - 1 },
  { ...REQUEST, headers: [], query: {} },
  { ...REQUEST, headers: {}, query: { a: 1, b: [true, "c", -1.5, 2 ** 53 - 1], c: [] } },
  { ...REQUEST, headers: manyPairs(1000), query: Object.fromEntries(manyPairs(1000)) },
  { ...REQUEST, headers: Object.fromEntries(manyPairs(1000)), query: { a: Array(1000).fill(1) } },
  { ...REQUEST, method: "A".repeat(1024) },
  BELOW,
  { ...BELOW, json: { a: [1] }, query: { a: "b" } },
  CANCEL,
  GRANT,
  { ...GRANT, bytes: 2 ** 53 - 1 },
  PING,
  { ...PING, data: "x".repeat(125) },
  { ...AUTH, token: "" },
];

const ID = '"id" must be an integer from 1 to 4294967295';
const TOKEN = "must be an HTTP token: letters, digits and !#$%&'*+-.^_`|~";
const PAIRS = '"headers" must be an object of strings or a list of [name, value] pairs';
const VALUE = "must not contain control characters or characters above U+00FF";
const FIELDS = "must have at most 1000 entries";
const QUERY = "must be a string, a number, a boolean or a list of these";
const NOT_EXACT = "cannot be represented exactly as a number; send it as a string";
const ONE_DESTINATION = "a request has one destination";
const ONE_BODY = "a request has one body";

/** What is wrong with a frame, and frames of which this is true. */
type Invalid = readonly [message: string, ...frames: JsonObject[]];

/** Invalid frames of wsfetch.v1 of which JSON Schema can say that they are. */
export const INVALID: readonly Invalid[] = [
  ['"id" is missing', without(REQUEST, "id"), without(GRANT, "id"), without(CANCEL, "id")],
  [ID, ...[0, -1, 1.5, 4294967296, 2 ** 53, "1", null, [1]].map((id) => ({ ...REQUEST, id }))],
  [ID, { ...CANCEL, id: null }, { ...GRANT, id: 0 }],
  ['"url" is missing', without(REQUEST, "url")],
  ['"url" must be a string', { ...REQUEST, url: null }],
  ['"path" is missing', without(BELOW, "path")],
  ['"upstream" is missing', without(BELOW, "upstream")],
  ['"upstream" must be a string', { ...REQUEST, upstream: 1 }],
  [
    `"url" cannot be combined with "upstream": ${ONE_DESTINATION}`,
    { ...REQUEST, upstream: "a" },
    { ...REQUEST, upstream: "a", path: "/" },
  ],
  [`"url" cannot be combined with "path": ${ONE_DESTINATION}`, { ...REQUEST, path: "/" }],
  ['"path" must be a string', { ...REQUEST, path: {} }],
  ['"token" is missing', without(AUTH, "token")],
  ['"token" must be a string', { ...AUTH, token: 1 }],
  ['"method" must be a string', { ...REQUEST, method: 1 }],
  [
    `"method" ${TOKEN}`,
    ...["", "GET / HTTP/1.1\r\n", "G\u00c9T"].map((method) => ({ ...REQUEST, method })),
  ],
  ['"method" must be at most 1024 characters', { ...REQUEST, method: "A".repeat(1025) }],
  [PAIRS, ...[null, "a: b", 1].map((headers) => ({ ...REQUEST, headers }))],
  [
    '"headers.0" must be a [name, value] pair',
    ...[["a: b"], [["a"]]].map((headers) => ({ ...REQUEST, headers })),
  ],
  [
    '"headers.1" must be a [name, value] pair',
    { ...REQUEST, headers: [["a", "b"], []] },
    { ...REQUEST, headers: [["a", "b"], ["a", "b", "c"]] },
  ],
  ['"headers.0.0" must be a string', { ...REQUEST, headers: [[1, "b"]] }],
  ['"headers.0.1" must be a string', { ...REQUEST, headers: [["a", null]] }],
  [`"headers.0.0" ${TOKEN}`, { ...REQUEST, headers: [["a:", "b"]] }],
  [`"headers.0.1" ${VALUE}`, { ...REQUEST, headers: [["a", "b\r\nc: d"]] }],
  ['"headers.a" must be a string', ...[1, ["b"]].map((a) => ({ ...REQUEST, headers: { a } }))],
  [`"headers.a b" ${TOKEN}`, { ...REQUEST, headers: { "a b": "c" } }],
  [`"headers." ${TOKEN}`, { ...REQUEST, headers: { "": "a" } }],
  [
    `"headers.a" ${VALUE}`,
    ...["\0", "\n", "a\rb", "\x7f", "\u0100", "\u20ac"].map((a) => ({
      ...REQUEST,
      headers: { a },
    })),
  ],
  [
    `"headers" ${FIELDS}`,
    { ...REQUEST, headers: manyPairs(1001) },
    { ...REQUEST, headers: Object.fromEntries(manyPairs(1001)) },
  ],
  [
    '"query" must be an object',
    ...[null, "a=b", [["a", "b"]]].map((query) => ({ ...REQUEST, query })),
  ],
  [`"query.a" ${QUERY}`, ...[null, {}].map((a) => ({ ...REQUEST, query: { a } }))],
  [`"query.a.1" ${QUERY}`, { ...REQUEST, query: { a: [1, null] } }],
  [`"query.a.0" ${QUERY}`, { ...REQUEST, query: { a: [[1]] } }],
  [`"query.a" ${NOT_EXACT}`, ...[2 ** 53, -1e21].map((a) => ({ ...REQUEST, query: { a } }))],
  [
    '"decode" must be true or false',
    ...[null, 0, "false"].map((decode) => ({ ...REQUEST, decode })),
  ],
  [`"query" ${FIELDS}`, { ...REQUEST, query: Object.fromEntries(manyPairs(1001)) }],
  [`"query" ${FIELDS}`, { ...REQUEST, query: { a: Array(1001).fill(1) } }],
  ['"text" must be a string', { ...REQUEST, text: 1 }],
  ['"base64" must be a string', { ...REQUEST, base64: null }],
  [`"json" cannot be combined with "text": ${ONE_BODY}`, { ...REQUEST, json: null, text: "" }],
  [`"text" cannot be combined with "base64": ${ONE_BODY}`, { ...REQUEST, base64: "", text: "" }],
  ...["json", "text", "base64"].map((body): Invalid => [
    `"${body}" cannot be combined with "bodyFollows": ${ONE_BODY}`,
    { ...REQUEST, [body]: "", bodyFollows: true },
  ]),
  [
    '"bodyFollows" must be true',
    ...[false, null, 1].map((bodyFollows) => ({ ...REQUEST, bodyFollows })),
  ],
  [
    '"timeoutMs" must be a whole number of milliseconds',
    ...[null, "1", 1.5, 2 ** 53].map((timeoutMs) => ({ ...REQUEST, timeoutMs })),
  ],
  ['"timeoutMs" must be at least 1', { ...REQUEST, timeoutMs: 0 }],
  [
    '"redirect" must be "follow", "manual" or "error"',
    ...[null, "Follow"].map((redirect) => ({ ...REQUEST, redirect })),
  ],
  [
    '"stream" must be false, true, "events" or "lines"',
    ...[null, 1, "bytes", "Events"].map((stream) => ({ ...REQUEST, stream })),
  ],
  [
    '"windowBytes" requires "stream": true',
    { ...REQUEST, windowBytes: 0 },
    ...[false, "events", "lines"].map((stream) => ({ ...REQUEST, stream, windowBytes: 0 })),
  ],
  [
    '"windowBytes" must be a whole number of bytes',
    ...["1", null, 0.5, 2 ** 53].map((windowBytes) => ({ ...REQUEST, stream: true, windowBytes })),
  ],
  ['"windowBytes" must be at least 0', { ...REQUEST, stream: true, windowBytes: -1 }],
  ['"Url" is not a member of this frame', { ...REQUEST, Url: "http://x/" }],
  ['"a", "b.c" are not members of this frame', { ...REQUEST, a: 1, "b.c": 2 }],
  ['"a" is not a member of this frame; "url" is missing', { type: "request", id: 1, a: 1 }],
  [
    `${ID}; "query" must be an object; "a" is not a member of this frame`,
    { ...REQUEST, id: 0, a: 1, query: 1 },
  ],
  ['"url" is not a member of this frame', { ...CANCEL, url: "" }, { ...GRANT, url: "" }],
  ['"id" is not a member of this frame', { ...PING, id: 1 }],
  ['"data" must be a string', { ...PING, data: 1 }],
  ['"data" must be at most 125 characters', { ...PING, data: "x".repeat(126) }],
  ['"bytes" is missing', without(GRANT, "bytes")],
  [
    '"bytes" must be a whole number of bytes',
    ...[null, "1", 1.5, 2 ** 53].map((bytes) => ({ ...GRANT, bytes })),
  ],
  ['"bytes" must be at least 1', { ...GRANT, bytes: 0 }, { ...GRANT, bytes: -1 }],
];

const values = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    ...["request", "GET", "http://a.example/", "events", "lines", "follow", "YQ==", ""],
    ...[0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1.5, -0, -1, true, false, null],
    ...[[["a", "b"]], { a: "b" }, { a: [1, true, "c"] }, [["a"]], { a: null }],
  ),
);

/** Valid frames with some members replaced, added or taken away. */
export function changed(
  valid: readonly JsonObject[],
  names: readonly string[],
): fc.Arbitrary<JsonObject> {
  return fc.tuple(
    fc.constantFrom(...valid),
    fc.dictionary(fc.constantFrom(...names, "__proto__", "constructor", "other"), values, {
      maxKeys: 4,
    }),
    fc.subarray([...names], { maxLength: 2 }),
  ).map(([frame, members, missing]): JsonObject => {
    const merged = JSON.parse(JSON.stringify({ ...frame, ...members }));
    for (const name of missing) delete merged[name];
    return merged;
  });
}

function without(frame: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(frame).filter(([key]) => key !== name));
}
