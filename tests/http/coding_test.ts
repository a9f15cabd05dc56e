import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import {
  brotliCompressSync,
  constants,
  crc32,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { type Coding, contentCodings, decodeCodings } from "../../src/http/coding.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { createTurns } from "../helpers/turns.ts";
import { latin1 } from "../helpers/upstream.ts";
import { fakeBody, readTexts, textOf } from "./fake_body.ts";

const FIELDS: readonly { input: readonly string[]; expected: readonly Coding[] }[] = [
  { input: [], expected: [] },
  { input: ["gzip"], expected: ["gzip"] },
  { input: ["X-GZip"], expected: ["gzip"] },
  { input: ["deflate"], expected: ["deflate"] },
  { input: ["BR"], expected: ["br"] },
  { input: ["zstd"], expected: ["zstd"] },
  { input: ["gzip, br"], expected: ["gzip", "br"] },
  { input: ["gzip", "br"], expected: ["gzip", "br"] },
  { input: ["gzip ,\tbr", "zstd"], expected: ["gzip", "br", "zstd"] },
  { input: ["br,br,br,br,br"], expected: ["br", "br", "br", "br", "br"] },
  // Chromium leaves these bodies coded, too.
  { input: [""], expected: [] },
  { input: ["gzip,"], expected: [] },
  { input: ["gzip", ""], expected: [] },
  { input: ["identity"], expected: [] },
  { input: ["gzip, identity"], expected: [] },
  { input: ["gzip, x"], expected: [] },
  { input: ["x", "gzip"], expected: [] },
  { input: ["compress"], expected: [] },
  { input: ["gzip;q=1"], expected: [] },
  { input: ["\xa0gzip"], expected: [] },
  { input: ["constructor"], expected: [] },
  // Chromium decodes any number of codings.
  { input: ["br,br,br,br,br,br"], expected: [] },
];

for (const { input, expected } of FIELDS) {
  Deno.test(`contentCodings() of ${input.map((value) => `"${value}"`).join(" and ")} is [${expected}]`, () => {
    const fields = input.map((value) => ["content-encoding", value] as const);
    assertEquals(contentCodings([["x", "gzip"], ...fields, ["y", "br"]]), expected);
  });
}

/** Returns bytes as text, and texts, one after the other. */
function join(...parts: readonly (string | Uint8Array)[]): string {
  return parts.map((part) => typeof part === "string" ? part : textOf(part)).join("");
}

const TEXT = "a body that is coded, ".repeat(30);

/** Returns gzip with all that a head may have (RFC 1952 §2.3). */
function withLongHead(text: string): string {
  const [flags, rest] = ["\x1e", textOf(gzipSync(text)).slice(10)];
  return `\x1f\x8b\b${flags}\0\0\0\0\0\xff\x03\0xyzname\0comment\0??${rest}`;
}

/** Returns zstd of which each frame has a checksum, and no size in its head. */
function withChecksum(text: string): string {
  return textOf(zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }));
}

const SKIPPABLE = "\x5f\x2a\x4d\x18\x03\0\0\0abc"; // RFC 8878 §3.1.2
const RLE = `\x28\xb5\x2f\xfd\x20\x05\x2b\0\0a`; // a frame with one block: five times "a"

const DECODED: readonly {
  readonly name: string;
  readonly codings: readonly Coding[];
  readonly input: string;
  readonly expected?: string;
}[] = [
  { name: "gzip", codings: ["gzip"], input: join(gzipSync(TEXT)) },
  { name: "gzip with a long head", codings: ["gzip"], input: withLongHead(TEXT) },
  {
    name: "several members of gzip",
    codings: ["gzip"],
    input: join(gzipSync(TEXT), gzipSync(""), withLongHead("end")),
    expected: `${TEXT}end`,
  },
  { name: "bytes after gzip", codings: ["gzip"], input: join(gzipSync(TEXT), "garbage") },
  { name: "zeros after gzip", codings: ["gzip"], input: join(gzipSync(TEXT), "\0\0\0\0") },
  {
    name: "half of a magic number after gzip",
    codings: ["gzip"],
    input: join(gzipSync(TEXT), "\x1f"),
  },
  { name: "deflate", codings: ["deflate"], input: join(deflateSync(TEXT)) },
  { name: "deflate without a head", codings: ["deflate"], input: join(deflateRawSync(TEXT)) },
  {
    name: "deflate that is stored",
    codings: ["deflate"],
    input: join(deflateRawSync(TEXT, { level: 0 })),
  },
  { name: "bytes after deflate", codings: ["deflate"], input: join(deflateSync(TEXT), "garbage") },
  { name: "bytes after raw deflate", codings: ["deflate"], input: join(deflateRawSync(TEXT), "x") },
  { name: "br", codings: ["br"], input: join(brotliCompressSync(TEXT)) },
  { name: "bytes after br", codings: ["br"], input: join(brotliCompressSync(TEXT), "garbage") },
  { name: "zstd", codings: ["zstd"], input: join(zstdCompressSync(TEXT)) },
  { name: "zstd with a checksum", codings: ["zstd"], input: withChecksum(TEXT) },
  { name: "zstd of a repeated byte", codings: ["zstd"], input: RLE, expected: "aaaaa" },
  {
    name: "several frames of zstd",
    codings: ["zstd"],
    input: join(SKIPPABLE, zstdCompressSync(TEXT), RLE, SKIPPABLE, withChecksum("end"), SKIPPABLE),
    expected: `${TEXT}aaaaaend`,
  },
  {
    name: "gzip, then br",
    codings: ["gzip", "br"],
    input: join(brotliCompressSync(gzipSync(TEXT))),
  },
  {
    name: "zstd, then deflate, then gzip",
    codings: ["zstd", "deflate", "gzip"],
    input: join(gzipSync(deflateSync(zstdCompressSync(TEXT)))),
  },
  ...(["gzip", "deflate", "br", "zstd"] as const).map((coding) => ({
    name: `no bytes as ${coding}`,
    codings: [coding],
    input: "",
    expected: "",
  })),
  { name: "no bytes as gzip, then br", codings: ["gzip", "br"], input: "", expected: "" },
];

/** Returns a text in pieces. */
function cut(text: string, size: number): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += size) pieces.push(text.slice(at, at + size));
  return pieces;
}

for (const { name, codings, input, expected = TEXT } of DECODED) {
  for (const size of [1, 7, 200]) {
    Deno.test(`decodeCodings() decodes ${name}, in pieces of ${size} bytes`, async () => {
      const fake = fakeBody(cut(input, size), { length: input.length, isHere: true });
      const body = decodeCodings(fake.body, codings, createTurns());
      assertEquals([body.length, body.isHere], [undefined, false]);
      assertEquals(textOf(await body.bytes(expected.length)), expected);
      assertEquals(fake.limits(), [Infinity]);
      const again = decodeCodings(fakeBody(cut(input, size)).body, codings, createTurns());
      assertEquals((await readTexts(again.chunks(expected.length))).join(""), expected);
    });
  }
}

Deno.test("decodeCodings() reads to the end of the body, so that its connection can be used again", async () => {
  for (const { codings, input, name } of DECODED) {
    if (/^(bytes|zeros) after/.test(name)) continue;
    const fake = fakeBody(cut(input, 200));
    await decodeCodings(fake.body, codings, createTurns()).bytes(9999);
    assertEquals([name, fake.reads() > Math.ceil(input.length / 200)], [name, true]);
  }
});

const MISCODED: readonly { name: string; codings: readonly Coding[]; input: string }[] = [
  ...(["gzip", "deflate", "br", "zstd"] as const).flatMap((coding) => [
    { name: `text is no ${coding}`, codings: [coding], input: "this is plain text" },
  ]),
  { name: "gzip has another method", codings: ["gzip"], input: "\x1f\x8b\x07\0\0\0\0\0\0\xff\0\0" },
  {
    name: "gzip has unknown flags",
    codings: ["gzip"],
    input: `\x1f\x8b\b\x20${join(gzipSync(TEXT)).slice(4)}`,
  },
  {
    name: "the checksum of gzip is wrong",
    codings: ["gzip"],
    input: join(gzipSync(TEXT)).replace(/.{8}$/s, "\0\0\0\0\x94\x02\0\0"),
  },
  {
    name: "a second member of gzip is cut off",
    codings: ["gzip"],
    input: join(gzipSync(TEXT), gzipSync(TEXT).subarray(0, 20)),
  },
  { name: "bytes follow zstd", codings: ["zstd"], input: join(zstdCompressSync(TEXT), "garbage") },
  { name: "zeros follow zstd", codings: ["zstd"], input: join(zstdCompressSync(TEXT), "\0") },
  {
    name: "the outer coding is right, and the inner one is not",
    codings: ["br", "gzip"],
    input: join(gzipSync("this is plain text")),
  },
];

for (const { name, codings, input } of MISCODED) {
  for (const size of [1, 200]) {
    Deno.test(`decodeCodings() fails when ${name}, in pieces of ${size} bytes`, async () => {
      const fake = fakeBody(cut(input, size));
      const body = decodeCodings(fake.body, codings, createTurns());
      const error = await assertRejects(async () => await body.bytes(9999), ProxyError);
      assertEquals([error.code, error.sent, error.retryable], [
        "http_response_content_coding",
        "yes",
        false,
      ]);
      assertEquals(error.cause instanceof Error, true);
      assertEquals(fake.discards() > 0, true);
    });
  }
}

for (const { name, codings, input } of DECODED) {
  if (input === "" || / after |several|checksum/.test(name)) continue;
  Deno.test(`decodeCodings() fails wherever ${name} is cut off`, async () => {
    for (let length = 1; length < input.length; length += length < 20 ? 1 : 7) {
      for (const pieces of [[input.slice(0, length)], cut(input.slice(0, length), 1)]) {
        if (pieces.some((piece) => piece.length > 256)) continue; // more than a chunk of a fake body
        const body = decodeCodings(fakeBody(pieces).body, codings, createTurns());
        const error = await assertRejects(
          async () => await body.bytes(9999),
          ProxyError,
          undefined,
          `${length}`,
        );
        assertEquals(error.code, "http_response_content_coding");
      }
    }
  });
}

Deno.test("decodeCodings() accepts a window of 8 MB of zstd, and none that is larger", async () => {
  // A frame with a window descriptor, and one empty block (RFC 8878 §3.1.1.1.2).
  const frame = (windowLog: number): string =>
    `\x28\xb5\x2f\xfd\0${String.fromCharCode(windowLog - 10 << 3)}\x01\0\0`;
  assertEquals(
    await decodeCodings(fakeBody([frame(23)]).body, ["zstd"], createTurns()).bytes(0),
    new Uint8Array(),
  );
  const body = decodeCodings(fakeBody([frame(24)]).body, ["zstd"], createTurns());
  const error = await assertRejects(async () => await body.bytes(9), ProxyError);
  assertEquals(error.code, "http_response_content_coding");
});

Deno.test("decodeCodings() limits the decoded bytes, and discards the body beyond them", async () => {
  const codings = [
    { codings: ["gzip"], coded: gzipSync("abcdef") },
    { codings: ["deflate"], coded: deflateSync("abcdef") },
    { codings: ["br"], coded: brotliCompressSync("abcdef") },
    { codings: ["zstd"], coded: zstdCompressSync("abcdef") },
    { codings: ["br", "gzip"], coded: gzipSync(brotliCompressSync("abcdef")) },
  ] as const;
  for (const { codings: applied, coded } of codings) {
    for (const way of ["bytes", "chunks"] as const) {
      const fake = fakeBody(cut(textOf(coded), 9));
      const body = decodeCodings(fake.body, applied, createTurns());
      const reading = async (): Promise<unknown> =>
        way === "bytes" ? await body.bytes(5) : await readTexts(body.chunks(5));
      const { code, message } = await assertRejects(reading, ProxyError);
      assertEquals([code, message], [
        "http_response_body_size",
        "The response body is larger than 5 bytes",
      ]);
      assertEquals(fake.discards() > 0, true);
    }
  }
});

Deno.test("decodeCodings() limits bytes that would be decoded to nothing", async () => {
  // Empty blocks (RFC 1951 §3.2.4) in one member, and a name without end (RFC 1952 §2.3.1).
  const [head, blocks] = [textOf(gzipSync("")).slice(0, 10), "\0\0\0\xff\xff".repeat(20_000)];
  const name = `\x1f\x8b\b\b\0\0\0\0\0\xff${"n".repeat(100_000)}`;
  for (const coded of [head + blocks, name]) {
    for (const codings of [["gzip"], ["gzip", "gzip"]] as const) {
      const fake = fakeBody(
        cut(codings.length === 1 ? coded : textOf(gzipSync(latin1(coded))), 200),
      );
      const error = await assertRejects(
        async () => await decodeCodings(fake.body, codings, createTurns()).bytes(9),
        ProxyError,
      );
      assertEquals([error.code, fake.discards() > 0], ["http_response_body_size", true]);
    }
  }
});

Deno.test("decodeCodings() throws the error of a body that breaks off", async () => {
  const broken = new Error("broken");
  const text = textOf(gzipSync("text"));
  for (const before of [[], [text.slice(0, 5)], [text.slice(0, 12)], [text]]) {
    for (const codings of [["gzip"], ["br", "gzip"]] as const) {
      const { body } = fakeBody([...before, broken]);
      const reading = async (): Promise<unknown> =>
        await decodeCodings(body, codings, createTurns()).bytes(9);
      if (codings.length === 1 || before[0] !== text) {
        assertStrictEquals(await assertRejects(reading), broken);
      }
    }
  }
});

/** Bytes that cannot be compressed, by xorshift. */
const NOISE = new Uint8Array(500_000);
for (let at = 0, state = 1; at < NOISE.length; at++) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  NOISE[at] = state;
}

const LONG: readonly { codings: readonly Coding[]; coded: Uint8Array }[] = [
  { codings: ["gzip"], coded: gzipSync(NOISE, { level: 0 }) },
  { codings: ["deflate"], coded: deflateSync(NOISE, { level: 0 }) },
  {
    codings: ["br"],
    coded: brotliCompressSync(NOISE, { params: { [constants.BROTLI_PARAM_QUALITY]: 0 } }),
  },
  { codings: ["zstd"], coded: zstdCompressSync(concat([NOISE, new Uint8Array(1)])) },
  { codings: ["deflate", "gzip"], coded: gzipSync(deflateSync(NOISE, { level: 0 }), { level: 0 }) },
];

for (const { codings, coded } of LONG) {
  Deno.test(`decodeCodings() reads little more of ${codings} than its buffers hold, and discards the rest`, async () => {
    const pieces = cut(textOf(coded), 250);
    const fake = fakeBody(pieces);
    for await (const chunk of decodeCodings(fake.body, codings, createTurns()).chunks(Infinity)) {
      assertEquals(chunk, NOISE.subarray(0, chunk.length));
      break;
    }
    assertEquals([fake.discards() > 0, fake.reads() < pieces.length * 0.6], [true, true]);
  });
}

Deno.test("decodeCodings() expands no more of a small body than is requested", async () => {
  const zeros = new Uint8Array(64 * 1024 * 1024);
  const bombs = [
    { codings: ["gzip"], coded: gzipSync(zeros) },
    { codings: ["deflate"], coded: deflateSync(zeros) },
    {
      codings: ["br"],
      coded: brotliCompressSync(zeros, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
    },
    { codings: ["zstd"], coded: zstdCompressSync(zeros) },
  ] as const;
  for (const { codings, coded } of bombs) {
    const fake = fakeBody(cut(textOf(coded), 256));
    let decoded = 0;
    for await (const chunk of decodeCodings(fake.body, codings, createTurns()).chunks(Infinity)) {
      decoded += chunk.byteLength;
      assertEquals(chunk.byteLength <= 65_536, true, codings[0]);
      if (decoded > 300_000) break;
    }
    assertEquals(fake.discards() > 0, true);
  }
});

Deno.test("decodeCodings() ends at once when it is left while nothing more arrives", async () => {
  const coded = textOf(gzipSync("text ".repeat(10_000), { level: 0 }));
  const fake = fakeBody([coded.slice(0, 200), coded.slice(200, 400), new Promise(() => {})]);
  for await (const chunk of decodeCodings(fake.body, ["gzip"], createTurns()).chunks(Infinity)) {
    assertEquals(textOf(chunk).startsWith("text text"), true);
    break;
  }
  assertEquals(fake.discards() > 0, true);
});

Deno.test("decodeCodings() decodes what has arrived while nothing more arrives", async () => {
  const flushed = new Promise(() => {});
  for (const { codings, coded } of LONG) {
    const fake = fakeBody([
      ...cut(textOf(coded.subarray(0, 200_000)), 250),
      flushed.then(() => {}),
    ]);
    let decoded = 0;
    for await (const chunk of decodeCodings(fake.body, codings, createTurns()).chunks(Infinity)) {
      decoded += chunk.byteLength;
      if (decoded > 60_000) break;
    }
    assertEquals(decoded > 60_000, true);
  }
});

Deno.test("decodeCodings() discards a body that was not read", () => {
  const fake = fakeBody(["x"]);
  decodeCodings(fake.body, ["gzip"], createTurns()).discard();
  assertEquals([fake.discards(), fake.reads()], [1, 0]);
});

Deno.test("the checksum of gzip is that of RFC 1952", () => {
  assertEquals(crc32("hello"), 0x3610_a686);
});
