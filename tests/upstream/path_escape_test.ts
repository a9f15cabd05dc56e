import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { findEscape, readingsOf } from "../../src/upstream/path_escape.ts";
import { createUnits, toText, toUnits } from "../../src/upstream/path_layer.ts";
import { translate } from "../../src/upstream/path_symbols.ts";
import { HARMLESS_PATHS, HOSTILE_PATHS } from "./path_corpus.ts";
import { referenceFindEscape, referenceReadingsOf } from "./path_reference.ts";

const PIECES = [
  ..."/.%25efFcuU0123\\;?#:@azZ ",
  ...("../ /.. %2e %2E %2f %5c %25 %252e %2525 %c0%ae %c0 %c1 %ae %9c %u002e %u0025 %u00 %75 %00 %09 %3b %3f %20 " +
    "%e0 %80 %9f %f0 %8f %f8 %fc %ed%a0%80 %f4%90%80%80 %e2%80%8b %ef%bc%85 %ef%bc%8f %ef%bb%bf %f0%9d%9f%9a " +
    "%cc%81 %c2%a5 %c2%85 %25u %uff05 %uff0f %u200b %ud83d %ude00 %udb40 %udc01 %ud835 %udfda %u3002 xyz")
    .split(" "),
  ..."\uff0e\uff0f\uff3c\uff05\uff12\uff25\u2025\u200b\u0301\ufe6a\u037e\u3002\u00a5\u20a9\u2044\u2100\u33ae\ufdfa",
  "\u{e0001}",
  "\u{1d7da}",
  "\u{1f100}",
  "\u{2f800}",
  "\ufffd",
];
// Without those that make nearly every path hostile.
const MILD_PIECES = PIECES.filter((piece) =>
  !/^(?:[./\\\uff0f\uff3c]|%2[ef]|%5c|%0[09]|%c[01]|%u002e|\.\.\/|\/\.\.)/i.test(piece)
);
const PATHS = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }),
  fc.array(fc.constantFrom(...MILD_PIECES), { maxLength: 24 }),
).map((parts) => `/${parts.join("")}`).chain((path) =>
  fc.constantFrom(path, path.replaceAll("%", "%25"))
);

function assertSameDecision(path: string): void {
  const [actual, expected] = [findEscape(path), referenceFindEscape(path)];
  assertStrictEquals(actual === undefined, expected === undefined, JSON.stringify(path));
  const isTooDeep = (reason = ""): boolean => reason.endsWith("too many times");
  assertStrictEquals(isTooDeep(actual), isTooDeep(expected), JSON.stringify(path));
}

Deno.test("findEscape() decides on random paths as the rules are written down", () => {
  fc.assert(fc.property(PATHS, assertSameDecision), { numRuns: 30_000 });
});

Deno.test("findEscape() decides on paths of random characters as the rules are written down", () => {
  const anything = fc.string({ unit: "binary", maxLength: 12 });
  const paths = fc.array(fc.oneof(anything, fc.constantFrom(...PIECES)), { maxLength: 12 });
  fc.assert(fc.property(paths, (parts) => assertSameDecision(`/${parts.join("")}`)), {
    numRuns: 10_000,
  });
});

Deno.test("findEscape() decides on the corpus as the rules are written down, encoded up to nine times", () => {
  for (let path of [...HOSTILE_PATHS, ...HARMLESS_PATHS.map(([path]) => path)]) {
    for (let times = 0; times < 10; times++) {
      if (path.startsWith("/")) assertSameDecision(path);
      path = path.replaceAll("%", "%25");
    }
  }
});

Deno.test("findEscape() decides on long runs as the rules are written down", () => {
  const pieces = ["%", "%25", "%2", "%u", "%u0025", "25", "a", "%c0", ".", " ", "x", "%%41", "41"];
  const runs = fc.array(fc.tuple(fc.constantFrom(...pieces), fc.integer({ min: 1, max: 80 })), {
    maxLength: 5,
  }).map((parts) => `/${parts.map(([piece, times]) => piece.repeat(times)).join("")}`);
  fc.assert(fc.property(runs, assertSameDecision), { numRuns: 10_000 });
});

Deno.test("readingsOf() returns the path and each of its decodings", () => {
  assertEquals(readingsOf("/a%252fb"), ["/a%252fb", "/a%2fb", "/a/b"]);
  fc.assert(
    fc.property(PATHS, (path) => {
      const expected = referenceReadingsOf(path).map((reading) => reading.toWellFormed());
      assertEquals(readingsOf(path), expected);
    }),
    { numRuns: 10_000 },
  );
});

Deno.test("translate() makes of every character what Unicode says, and not more than its escape has room for", () => {
  const rest = /[\s\p{Default_Ignorable_Code_Point}\p{M}\ufffd]/u;
  const kept = /[\p{Cc}\\%/.;?#\da-fu\u2044\u2215\u2216\u29f5\u29f8\u00a5\u20a9\u3002]/iu;
  const target = createUnits(6);
  for (let point = 0x80; point < 0x110000; point++) {
    if (point === 0xd800) point = 0xe000;
    const character = String.fromCodePoint(point);
    const normal = character.normalize("NFKD");
    translate(toUnits(character), target);
    assert(target.length <= 6, character);
    const actual = toText(target);
    const isHarmless = ![...normal].some((part) => kept.test(part));
    const isDropped = [...normal].every((part) => rest.test(part));
    assertStrictEquals(actual === "x", isHarmless && !isDropped, character);
    assertStrictEquals(/^ +$/.test(actual), isDropped, character);
  }
});
