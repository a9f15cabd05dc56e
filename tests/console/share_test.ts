import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { scrubDraft } from "../../src/console/credentials.ts";
import {
  BODY_KINDS,
  DELIVERY_MODES,
  type Draft,
  EMPTY_DRAFT,
  REDIRECT_MODES,
} from "../../src/console/draft.ts";
import { decodeShare, encodeShare, parseDraft } from "../../src/console/share.ts";

const draft = (changes: Partial<Draft>): Draft => ({
  ...EMPTY_DRAFT,
  url: "https://a.test/",
  ...changes,
});

const drafts = fc.record({
  method: fc.constantFrom("GET", "POST", "PURGE"),
  upstream: fc.constantFrom("", "shop"),
  url: fc.webUrl({ withQueryParameters: true }),
  headers: fc.array(
    fc.tuple(fc.constantFrom("accept", "x-a", "range"), fc.string({ unit: "grapheme" })),
  ),
  bodyKind: fc.constantFrom(...BODY_KINDS),
  bodyText: fc.string({ unit: "grapheme" }),
  timeoutMs: fc.option(fc.nat()),
  mode: fc.constantFrom(...DELIVERY_MODES),
  redirect: fc.constantFrom(...REDIRECT_MODES),
});

Deno.test("decodeShare() returns the draft that encodeShare() has encoded", () => {
  fc.assert(fc.property(drafts, (input) => {
    assertEquals(decodeShare(encodeShare(input).fragment), scrubDraft(input).draft);
  }));
});

Deno.test("decodeShare() returns undefined for an invalid fragment", () => {
  const { fragment } = encodeShare(draft({}));
  for (
    const input of [
      "",
      "#",
      "#request=",
      "#request=!",
      "#request=bnVsbA",
      fragment.slice(0, -3),
      `#x${fragment}`,
    ]
  ) {
    assertEquals(decodeShare(input), undefined, input);
  }
  fc.assert(fc.property(fc.string(), (text) => {
    decodeShare(`#request=${text}`); // does not throw
  }));
});

Deno.test("parseDraft() refuses a member with a wrong type", () => {
  const wrong = [
    { method: 1 },
    { upstream: null },
    { url: {} },
    { headers: [["a"]] },
    { headers: "a" },
    { headers: [["a", 1]] },
    { bodyKind: "x" },
    { bodyText: [] },
    { timeoutMs: "1" },
    { timeoutMs: 0.5 },
    { mode: "x" },
    { redirect: "x" },
  ];
  for (const input of wrong) assertEquals(parseDraft({ ...draft({}), ...input }), undefined);
  assertEquals(parseDraft({ url: "x", __proto__: { evil: 1 }, evil: 2 }), draft({ url: "x" }));
});

Deno.test("encodeShare() omits a long body and a file", () => {
  const long = encodeShare(
    draft({ method: "POST", bodyKind: "text", bodyText: "x".repeat(20_000) }),
  );
  assertEquals(long.omitted, ["the body, which is too long for a link"]);
  assertEquals(decodeShare(long.fragment)?.bodyText, "");
  assertEquals(encodeShare(draft({ method: "POST", bodyKind: "file" })).omitted, ["the file"]);
});
