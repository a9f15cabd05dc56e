/**
 * What holds for every body, whichever transport it is from and whatever was done to it.
 */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { type Body, mapErrors, teeBody } from "../../src/http/body.ts";
import { type Coding, decodeCodings } from "../../src/http/coding.ts";
import { createFetchClients } from "../../src/http/fetch/clients.ts";
import { createFetchTransport } from "../../src/http/fetch/transport.ts";
import { createHttp1Client } from "../../src/http/h1/client.ts";
import type { Transport } from "../../src/http/transport.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createTurns } from "../helpers/turns.ts";
import { startRaw } from "../helpers/upstream.ts";
import { readTexts, textOf } from "./fake_body.ts";

/** One way to get a body. */
interface Source {
  readonly name: string;
  readonly by: "direct" | "fetch";
  /** Returns the response with this body; `isWhole`: it does not break off before its end. */
  readonly encode: (text: string, isWhole: boolean) => string;
  readonly map?: (body: Body) => Body;
  /** Whether no byte of so short a body is decoded before its end. */
  readonly isCoded?: boolean;
  /** The length that the body declares. */
  readonly length: (text: string) => number | undefined;
}

const OK = "HTTP/1.1 200 OK\r\n";

function withLength(text: string, isWhole: boolean): string {
  return `${OK}content-length: ${text.length + (isWhole ? 0 : 1)}\r\n\r\n${text}`;
}

function inChunks(text: string, isWhole: boolean): string {
  const chunks = [...text].map((character) => `1\r\n${character}\r\n`).join("");
  return `${OK}transfer-encoding: chunked\r\n\r\n${chunks}${isWhole ? "0\r\n\r\n" : ""}`;
}

/** Returns a source whose body has content codings. */
function coded(
  name: string,
  codings: readonly Coding[],
  code: (text: string) => Uint8Array,
): Source {
  return {
    name,
    by: "direct",
    encode: (text, isWhole) => withLength(textOf(code(text)), isWhole),
    map: (body) => decodeCodings(body, codings, createTurns()),
    isCoded: true,
    length: unknown,
  };
}

const declared = (text: string): number => text.length;
const unknown = (): undefined => undefined;
const teed = (side: 0 | 1) => (body: Body): Body => {
  const bodies = teeBody(body);
  bodies[side === 0 ? 1 : 0].discard();
  return bodies[side];
};

const SOURCES: readonly Source[] = [
  { name: "HTTP/1.1 with a length", by: "direct", encode: withLength, length: declared },
  { name: "HTTP/1.1 in chunks", by: "direct", encode: inChunks, length: unknown },
  { name: "fetch with a length", by: "fetch", encode: withLength, length: declared },
  { name: "fetch in chunks", by: "fetch", encode: inChunks, length: unknown },
  coded("gzip", ["gzip"], (text) => gzipSync(text)),
  coded("deflate", ["deflate"], (text) => deflateSync(text)),
  coded("raw deflate", ["deflate"], (text) => deflateRawSync(text)),
  coded("br", ["br"], (text) => brotliCompressSync(text)),
  coded("zstd", ["zstd"], (text) => zstdCompressSync(text)),
  coded("zstd in gzip", ["zstd", "gzip"], (text) => gzipSync(zstdCompressSync(text))),
  {
    name: "other errors",
    by: "direct",
    encode: withLength,
    map: (body) => mapErrors(body, (thrown) => thrown),
    length: declared,
  },
  { name: "one side of a tee", by: "direct", encode: inChunks, map: teed(0), length: unknown },
  { name: "the other side", by: "fetch", encode: withLength, map: teed(1), length: declared },
];

/** A body, and what becomes of its connection. */
interface World extends AsyncDisposable {
  readonly body: Body;
  readonly controller: AbortController;
  /** Fulfils when the client has closed the connection. */
  readonly closed: Promise<void>;
}

async function start(source: Source, response: string): Promise<World> {
  const closed = Promise.withResolvers<void>();
  const server = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write(response);
    await connection.peerClosed();
    closed.resolve();
  });
  const clients = createFetchClients({ maxIdlePerHost: 1 });
  const http1 = createHttp1Client();
  const transport: Transport = source.by === "direct"
    ? http1.request
    : createFetchTransport({ clients });
  const controller = new AbortController();
  const { body } = await transport(
    { method: "GET", url: new URL(server.origin), headers: [], body: null },
    controller.signal,
  );
  return {
    body: source.map?.(body) ?? body,
    controller,
    closed: closed.promise,
    async [Symbol.asyncDispose](): Promise<void> {
      http1[Symbol.dispose]();
      clients[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const WAYS: readonly { name: string; read: (body: Body, maxBytes: number) => Promise<string> }[] = [
  { name: "bytes", read: async (body, maxBytes) => textOf(await body.bytes(maxBytes)) },
  {
    name: "chunks",
    read: async (body, maxBytes) => (await readTexts(body.chunks(maxBytes))).join(""),
  },
];

const TEXT = "a body of some length";

for (const source of SOURCES) {
  const { name, encode, length } = source;

  for (const { name: way, read } of WAYS) {
    Deno.test(`${way}() of a body by ${name} returns it up to the limit`, async () => {
      await using whole = await start(source, encode(TEXT, true));
      assertEquals(whole.body.length, length(TEXT));
      assertEquals(await read(whole.body, TEXT.length), TEXT);
      whole.body.discard(); // after the end it does nothing
      await using empty = await start(source, encode("", true));
      assertEquals(await read(empty.body, 0), "");
    });

    Deno.test(`${way}() of a body by ${name} fails beyond the limit, and closes the connection`, async () => {
      await using world = await start(source, encode(TEXT, false));
      const error = await assertRejects(() => read(world.body, TEXT.length - 1), ProxyError);
      assertEquals([error.code, error.sent, error.retryable], [
        "http_response_body_size",
        "yes",
        false,
      ]);
      world.body.discard();
      await world.closed;
    });

    Deno.test(`${way}() of a body by ${name} fails with the signal's reason when aborted`, async () => {
      await using world = await start(source, encode(TEXT, false));
      const reason = new Error("enough");
      const reading = assertRejects(() => read(world.body, 99));
      world.controller.abort(reason);
      assertStrictEquals(await reading, reason);
      await world.closed;
    });
  }

  Deno.test(`discard() of a body by ${name} closes the connection, once, and ends all reading`, async () => {
    await using world = await start(source, encode(TEXT, false));
    world.body.discard();
    world.body.discard();
    await world.closed;
    assertEquals(await readTexts(world.body.chunks(99)).catch(() => []), []);
  });

  Deno.test(`discard() of a body by ${name} closes the connection while a chunk is awaited`, async () => {
    await using world = await start(source, encode(TEXT, false));
    const reading = readTexts(world.body.chunks(99)).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve));
    world.body.discard();
    await world.closed;
    await reading;
  });

  if (source.isCoded === true) continue; // coding_test.ts leaves a longer one
  Deno.test(`leaving the chunks of a body by ${name} early closes the connection`, async () => {
    await using world = await start(source, encode(TEXT, false));
    for await (const chunk of world.body.chunks(99)) {
      assertEquals(TEXT.startsWith(textOf(chunk)), true);
      break;
    }
    await world.closed;
  });
}
