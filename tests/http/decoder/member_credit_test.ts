import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Coding, decodeCodings } from "../../../src/http/coding.ts";
import { MemberCredit } from "../../../src/http/decoder/member_credit.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { createTurns } from "../../helpers/turns.ts";
import { fakeBody, textOf } from "../fake_body.ts";

const MAX_EMPTY = 1024;

Deno.test("MemberCredit allows a member for each decoded byte, and 1024 more", () => {
  const credit = new MemberCredit();
  credit.add(1_000_000);
  for (let count = 0; count <= MAX_EMPTY; count++) credit.take();
  assertThrows(() => credit.take(), ProxyError);
  credit.add(2);
  credit.take();
  credit.take();
  assertThrows(() => credit.take(), ProxyError);
});

const SKIPPABLE = "\x5f\x2a\x4d\x18\x03\0\0\0abc"; // RFC 8878 §3.1.2
const KINDS: readonly { name: string; coding: Coding; empty: string; one: string }[] = [
  {
    name: "members of gzip",
    coding: "gzip",
    empty: textOf(gzipSync("")),
    one: textOf(gzipSync("x")),
  },
  {
    name: "frames of zstd",
    coding: "zstd",
    empty: textOf(zstdCompressSync("")),
    one: textOf(zstdCompressSync("x")),
  },
  {
    name: "skippable frames of zstd",
    coding: "zstd",
    empty: SKIPPABLE,
    one: textOf(zstdCompressSync("x")),
  },
];

/** Returns the decoded text of a body that arrives in pieces of this size. */
async function decode(coding: Coding, coded: string, size: number): Promise<string> {
  const pieces: string[] = [];
  for (let at = 0; at < coded.length; at += size) pieces.push(coded.slice(at, at + size));
  return textOf(await decodeCodings(fakeBody(pieces).body, [coding], createTurns()).bytes(99_999));
}

for (const { name, coding, empty, one } of KINDS) {
  for (const size of [empty.length, 256]) {
    Deno.test(`decodeCodings() accepts 1024 empty ${name} in a row, in pieces of ${size} bytes`, async () => {
      const coded = one + empty.repeat(MAX_EMPTY) + one.repeat(2);
      assertEquals(await decode(coding, coded, size), "xxx");
    });

    Deno.test(`decodeCodings() fails after 1024 empty ${name}, in pieces of ${size} bytes`, async () => {
      for (const coded of [empty.repeat(MAX_EMPTY + 2), (empty.repeat(9) + one).repeat(200)]) {
        const error = await assertRejects(() => decode(coding, coded, size), ProxyError);
        assertEquals([error.code, error.message], [
          "http_response_content_coding",
          "More than 1024 members of the coded response body are empty",
        ]);
      }
    });
  }

  Deno.test(`decodeCodings() accepts any number of ${name} that have a byte each`, async () => {
    assertEquals(await decode(coding, one.repeat(5000), 256), "x".repeat(5000));
  });
}
