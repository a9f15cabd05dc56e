/**
 * Responses that break a rule of HTTP, or nearly: which of them are read, and whether the connection is used again.
 * Other clients were compared: Deno's fetch, Node's fetch (undici) and curl. Where they differ, the reason is given.
 */
import { assertEquals } from "@std/assert";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { createTestClient, startServer } from "./test_client.ts";

/** What becomes of a response. */
type Outcome = "read and reused" | "read and closed" | "refused" | "broken body";

interface Row {
  readonly name: string;
  /** Default: a status line. */
  readonly start?: string;
  readonly fields?: readonly string[];
  /** Default: "ok" with its length, unless there are fields that frame it. */
  readonly body?: string;
  /** Whether the server closes the connection after the response. */
  readonly closes?: true;
  readonly expected: Outcome;
}

const CHUNKED = "transfer-encoding: chunked";
const CHUNKS = "2\r\nok\r\n0\r\n\r\n";
const FRAMING = /^(?:content-length|transfer-encoding)/i;

const ROWS: readonly Row[] = [
  // Read by the others as well.
  {
    name: "empty lines before the status line",
    start: "\r\n\r\nHTTP/1.1 200 OK",
    expected: "read and reused",
  },
  { name: "no reason phrase", start: "HTTP/1.1 200", expected: "read and reused" },
  { name: "a status of no class", start: "HTTP/1.1 999 x", expected: "read and reused" },
  {
    name: "150 cookies; Deno reads 100 fields",
    fields: Array.from({ length: 150 }, () => "set-cookie: a=b"),
    expected: "read and reused",
  },
  {
    name: "two codings that are both chunks",
    fields: [CHUNKED, CHUNKED],
    body: CHUNKS,
    expected: "read and reused",
  },
  {
    name: "identity before chunks",
    fields: ["transfer-encoding: identity, chunked"],
    body: CHUNKS,
    expected: "read and reused",
  },
  {
    name: "identity until the connection ends",
    closes: true,
    fields: ["transfer-encoding: identity"],
    body: "ok",
    expected: "read and closed",
  },
  {
    name: "many zeros before a length",
    fields: [`content-length: ${"0".repeat(30)}2`],
    body: "ok",
    expected: "read and reused",
  },
  {
    name: "many zeros before a chunk size",
    fields: [CHUNKED],
    body: `${"0".repeat(30)}${CHUNKS}`,
    expected: "read and reused",
  },

  // Read, though some do not.
  {
    name: "a folded field, which Node and curl read (RFC 9112 §5.2)",
    fields: ["x: a", " b"],
    expected: "read and reused",
  },
  {
    name: "a space before a colon, which Node and curl read (RFC 9112 §5.1)",
    fields: ["x : a"],
    expected: "read and reused",
  },
  {
    name: "a tab before a colon, which curl reads (RFC 9112 §5.1)",
    fields: ["x\t: a"],
    expected: "read and reused",
  },
  {
    name: "the same length twice, which Deno and curl read (RFC 9110 §8.6)",
    fields: ["content-length: 2", "content-length: 2"],
    body: "ok",
    expected: "read and reused",
  },
  {
    name: "identity beside a length, which curl reads (RFC 2616 §4.4)",
    fields: ["transfer-encoding: identity", "content-length: 2"],
    body: "ok",
    expected: "read and closed",
  },
  {
    name: "chunks beside a length, which Deno and curl read (RFC 9112 §6.3)",
    fields: [CHUNKED, "content-length: 2"],
    body: CHUNKS,
    expected: "read and closed",
  },
  {
    name: "an empty member after chunks, which curl reads (RFC 9110 §5.6.1)",
    fields: ["transfer-encoding: chunked,"],
    body: CHUNKS,
    expected: "read and reused",
  },
  {
    name: "lines that end without CR, which Deno and curl read (RFC 9112 §2.2)",
    start: "HTTP/1.1 200 OK\nx: y",
    expected: "read and reused",
  },
  {
    name: "whitespace after a chunk size, which Deno reads (RFC 9112 §7.1.1)",
    fields: [CHUNKED],
    body: "2 \r\nok\r\n0\r\n\r\n",
    expected: "read and reused",
  },

  // The body would be handed over coded: Deno and Node do so, curl refuses too.
  {
    name: "an unknown coding",
    fields: ["transfer-encoding: foo"],
    body: "ok",
    expected: "refused",
  },
  {
    name: "an unknown coding before chunks",
    fields: ["transfer-encoding: foo, chunked"],
    body: CHUNKS,
    expected: "refused",
  },
  {
    name: "a parameter of chunks",
    fields: ["transfer-encoding: chunked;q=1"],
    body: CHUNKS,
    expected: "refused",
  },
  {
    name: "a byte A0 before chunks",
    fields: ["transfer-encoding: \xa0chunked"],
    body: CHUNKS,
    expected: "refused",
  },
  // Deno and Node take the chunks for the body, curl removes them: no one can tell who is right.
  {
    name: "identity after chunks",
    fields: ["transfer-encoding: chunked, identity"],
    body: CHUNKS,
    expected: "refused",
  },

  // Refused, though Node reads some: recipients do not agree where such a message ends, or the value cannot be passed on.
  {
    name: "chunks in HTTP/1.0 (RFC 9112 §6.1)",
    start: "HTTP/1.0 200 OK",
    fields: [CHUNKED],
    body: CHUNKS,
    expected: "refused",
  },
  {
    name: "a space before the colon of the length",
    fields: ["content-length : 2"],
    body: "ok",
    expected: "refused",
  },
  {
    name: "two lengths",
    fields: ["content-length: 2", "content-length: 3"],
    body: "ok",
    expected: "refused",
  },
  {
    name: "whitespace before the first field (RFC 9112 §2.2)",
    fields: [" x: y"],
    expected: "refused",
  },
  { name: "a line without a colon", fields: ["x"], expected: "refused" },
  { name: "a field without a name", fields: [": x"], expected: "refused" },
  { name: "a space in a name", fields: ["x y: z"], expected: "refused" },
  { name: "a control character in a value", fields: ["x: \x1b"], expected: "refused" },
  {
    name: "a control character in the reason phrase",
    start: "HTTP/1.1 200 \x1b",
    expected: "refused",
  },
  { name: "another version", start: "HTTP/1.2 200 OK", expected: "refused" },
  { name: "a version that has no such status line", start: "HTTP/2.0 200 OK", expected: "refused" },
  { name: "two spaces before the status", start: "HTTP/1.1  200 OK", expected: "refused" },
  { name: "a status of four digits", start: "HTTP/1.1 0200 OK", expected: "refused" },

  // Trailers are fields, and nothing joins folded ones.
  {
    name: "trailers",
    fields: [CHUNKED],
    body: "2\r\nok\r\n0\r\nx: \xe9\r\n\r\n",
    expected: "read and reused",
  },
  {
    name: "a trailer without a colon",
    fields: [CHUNKED],
    body: "2\r\nok\r\n0\r\nx\r\n\r\n",
    expected: "broken body",
  },
  {
    name: "a NUL in a trailer",
    fields: [CHUNKED],
    body: "2\r\nok\r\n0\r\nx: \0\r\n\r\n",
    expected: "broken body",
  },
  {
    name: "a folded trailer, which Node reads",
    fields: [CHUNKED],
    body: "2\r\nok\r\n0\r\nx: a\r\n b\r\n\r\n",
    expected: "broken body",
  },
  {
    name: "the next response in place of trailers",
    fields: [CHUNKED],
    body: "2\r\nok\r\n0\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno",
    expected: "broken body",
  },

  // Other clients that reuse these connections wait for nothing; a server that means to close loses the next request.
  {
    name: "close beside keep-alive in HTTP/1.0",
    start: "HTTP/1.0 200 OK",
    fields: ["connection: keep-alive, close"],
    expected: "read and closed",
  },
  {
    name: "an empty line after the body, after which Node reuses",
    body: "ok\r\n",
    fields: ["content-length: 2"],
    expected: "read and closed",
  },
  {
    name: "a byte A0 before close, which is no whitespace",
    fields: ["connection: \xa0close"],
    expected: "read and reused",
  },
];

/** Returns the response. */
function encode({ start = "HTTP/1.1 200 OK", fields = [], body = "ok" }: Row): string {
  const length = fields.some((field) => FRAMING.test(field)) ? [] : ["content-length: 2"];
  return `${[start, ...fields, ...length].join("\r\n")}\r\n\r\n${body}`;
}

for (const row of ROWS) {
  Deno.test(`request() of a response with ${row.name}: ${row.expected}`, async () => {
    let asked = 0;
    await using server = startServer(async (connection, { request }) => {
      if (++asked > 1) return `HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${request}`;
      if (row.closes !== true) return encode(row);
      await connection.write(encode(row));
      return false;
    });
    using client = createTestClient();
    let outcome: Outcome;
    try {
      const { text } = await client.fetch(server.origin);
      assertEquals(text, "ok");
      const { text: request } = await client.fetch(server.origin);
      outcome = request === "2" ? "read and reused" : "read and closed";
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
      outcome = error.code === "http_response_incomplete" ? "broken body" : "refused";
      if (outcome === "refused") assertEquals(error.code, "http_protocol_error");
      const { text: request } = await client.fetch(server.origin);
      assertEquals(request, "1", "the connection is not used again");
    }
    assertEquals(outcome, row.expected);
  });
}
