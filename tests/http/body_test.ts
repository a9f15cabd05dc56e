import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type Body,
  ByteLimit,
  type Bytes,
  collectChunks,
  limitChunks,
  mapChunks,
  mapErrors,
} from "../../src/http/body.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { latin1 } from "../helpers/upstream.ts";
import { type FakeBody, fakeBody, readTexts, textOf } from "./fake_body.ts";

function assertTooLarge(error: Error, maxBytes: number): void {
  assertEquals(error.message, `The response body is larger than ${maxBytes} bytes`);
  assertEquals(error instanceof ProxyError && error.code, "http_response_body_size");
}

Deno.test("ByteLimit allows bytes up to its limit in total, and no more", () => {
  const limit = new ByteLimit(5);
  limit.add(2);
  limit.add(0);
  limit.add(3);
  limit.add(0);
  assertTooLarge(assertThrows(() => limit.add(1), ProxyError), 5);
  assertTooLarge(assertThrows(() => new ByteLimit(0).add(1), ProxyError), 0);
  new ByteLimit(0).add(0);
  new ByteLimit(Infinity).add(Number.MAX_SAFE_INTEGER);
});

Deno.test("limitChunks() returns the same chunks up to the limit", async () => {
  const { body } = fakeBody(["ab", "", "cde"]);
  assertEquals(await readTexts(limitChunks(body.chunks(Infinity), 5)), ["ab", "", "cde"]);
  const chunk = latin1("x");
  async function* one(): AsyncGenerator<Bytes> {
    yield chunk;
  }
  for await (const each of limitChunks(one(), 1)) assertStrictEquals(each, chunk);
});

Deno.test("limitChunks() fails at the chunk that exceeds the limit, and ends the iteration", async () => {
  const fake = fakeBody(["ab", "cd", "ef"]);
  const texts: string[] = [];
  const error = await assertRejects(async () => {
    for await (const chunk of limitChunks(fake.body.chunks(Infinity), 3)) texts.push(textOf(chunk));
  }, ProxyError);
  assertTooLarge(error, 3);
  assertEquals([texts, fake.reads(), fake.isLeft()], [["ab"], 2, true]);
});

Deno.test("limitChunks() reads nothing ahead, throws the errors of the chunks, and ends them early", async () => {
  const fake = fakeBody(["ab", "cd"]);
  const iterator = limitChunks(fake.body.chunks(Infinity), 9);
  assertEquals(fake.reads(), 0);
  await iterator.next();
  assertEquals(fake.reads(), 1);
  await iterator.return(undefined);
  assertEquals([fake.reads(), fake.isLeft()], [1, true]);
  const failing = fakeBody(["ab", new Error("broken")]);
  await assertRejects(() => readTexts(limitChunks(failing.body.chunks(9), 9)), Error, "broken");
});

Deno.test("collectChunks() returns all chunks as one array, though each is valid only until the next", async () => {
  const { body } = fakeBody(["ab", "", "c", "def"]);
  assertEquals(await collectChunks(body.chunks(Infinity), Infinity), latin1("abcdef"));
  assertEquals(await collectChunks(fakeBody([]).body.chunks(Infinity), Infinity), new Uint8Array());
  const chunk = latin1("x");
  async function* one(): AsyncGenerator<Bytes> {
    yield chunk;
  }
  const copy = await collectChunks(one(), Infinity);
  chunk[0] = 0;
  assertEquals(copy, latin1("x"));
});

/** Doubles each chunk, and adds one at the end. */
async function* double(chunks: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
  for await (const chunk of chunks) yield latin1(textOf(chunk).repeat(2));
  yield latin1("!");
}

/** Keeps the first byte of each chunk. */
async function* shrink(chunks: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
  for await (const chunk of chunks) yield chunk.subarray(0, 1);
}

const WAYS: readonly { name: string; read: (body: Body, maxBytes: number) => Promise<string> }[] = [
  { name: "bytes", read: async (body, maxBytes) => textOf(await body.bytes(maxBytes)) },
  {
    name: "chunks",
    read: async (body, maxBytes) => (await readTexts(body.chunks(maxBytes))).join(""),
  },
];

for (const { name, read } of WAYS) {
  Deno.test(`mapChunks() replaces the chunks of a body, read by ${name}()`, async () => {
    const { body } = fakeBody(["ab", "c"], { length: 3 });
    assertEquals(await read(mapChunks(body, double), 7), "ababcc!");
  });

  Deno.test(`mapChunks() limits the new chunks and not the original ones, read by ${name}()`, async () => {
    const fake = fakeBody(["ab", "c"], { length: 3 });
    assertTooLarge(await assertRejects(() => read(mapChunks(fake.body, double), 6)), 6);
    assertEquals(fake.limits(), [Infinity]);
    assertEquals(await read(mapChunks(fakeBody(["abcdef"]).body, shrink), 1), "a");
  });

  Deno.test(`mapErrors() replaces the error of a body, read by ${name}()`, async () => {
    const [broken, other] = [new Error("broken"), new Error("other")];
    const seen: unknown[] = [];
    const toError = (thrown: unknown): unknown => {
      seen.push(thrown);
      return other;
    };
    const body = mapErrors(fakeBody(["ab", broken]).body, toError);
    assertStrictEquals(await assertRejects(() => read(body, 9)), other);
    assertEquals(seen.length, 1);
    assertStrictEquals(seen[0], broken);
    assertEquals(await read(mapErrors(fakeBody(["ab"]).body, toError), 9), "ab");
    assertEquals(seen.length, 1);
  });

  Deno.test(`mapErrors() leaves the limit to the body, and replaces its error, read by ${name}()`, async () => {
    const fake = fakeBody(["ab", "c"]);
    const codes: unknown[] = [];
    const body = mapErrors(fake.body, (thrown) => {
      codes.push(thrown instanceof ProxyError && thrown.code);
      return thrown;
    });
    assertTooLarge(await assertRejects(() => read(body, 2)), 2);
    assertEquals([codes, fake.limits()], [["http_response_body_size"], [2]]);
  });
}

Deno.test("mapErrors() replaces an error that bytes() throws directly", async () => {
  const other = new Error("other");
  const { body } = fakeBody([]);
  const throwing: Body = {
    ...body,
    bytes: () => {
      throw new Error("broken");
    },
  };
  const mapped = mapErrors(throwing, () => other);
  assertStrictEquals(await assertRejects(async () => await mapped.bytes(1)), other);
});

const MAPS: readonly { name: string; map: (body: Body) => Body; length: number | undefined }[] = [
  { name: "mapChunks", map: (body) => mapChunks(body, double), length: undefined },
  { name: "mapErrors", map: (body) => mapErrors(body, (thrown) => thrown), length: 3 },
];

for (const { name, map, length } of MAPS) {
  Deno.test(`${name}() returns a body that is not here, and of ${length ?? "unknown"} length`, () => {
    const body = map(fakeBody(["abc"], { length: 3, isHere: true }).body);
    assertEquals([body.isHere, body.length], [false, length]);
  });

  Deno.test(`${name}() discards the original with the body`, () => {
    const fake: FakeBody = fakeBody(["abc"]);
    map(fake.body).discard();
    assertEquals([fake.discards(), fake.reads()], [1, 0]);
  });

  Deno.test(`${name}() reads nothing ahead, and leaves the original with the body`, async () => {
    const fake = fakeBody(["ab", "cd", "ef"]);
    const body = map(fake.body);
    assertEquals(fake.reads(), 0);
    for await (const chunk of body.chunks(99)) {
      assertEquals([textOf(chunk).slice(0, 2), fake.reads()], ["ab", 1]);
      break;
    }
    assertEquals([fake.reads(), fake.isLeft()], [1, true]);
  });
}
