import { assert, assertEquals } from "@std/assert";
import { isCredentialName, scrubDraft } from "../../src/console/credentials.ts";
import { type Draft, EMPTY_DRAFT } from "../../src/console/draft.ts";
import { createHistory } from "../../src/console/history.ts";
import { decodeShare, encodeShare } from "../../src/console/share.ts";
import { createStorage } from "./storage.ts";

const SECRET = "s3cr3t-value-1";
const draft = (changes: Partial<Draft>): Draft => ({
  ...EMPTY_DRAFT,
  url: "https://a.test/",
  ...changes,
});

const NAMES = [
  ["authorization", true],
  ["Proxy-Authorization", true],
  ["cookie", true],
  ["x-api-key", true],
  ["X-Auth-Token", true],
  ["Ocp-Apim-Subscription-Key", true],
  ["x-amz-security-token", true],
  ["access_token", true],
  ["key", true],
  ["sig", true],
  ["client_secret", true],
  ["sessionId", true],
  ["idempotency-key", false],
  ["author", false],
  ["keyword", false],
  ["accept", false],
  ["content-type", false],
  ["design", false],
] as const;
for (const [name, expected] of NAMES) {
  Deno.test(`isCredentialName() returns ${expected} for ${name}`, () => {
    assertEquals(isCredentialName(name), expected);
  });
}

const PLACES: readonly { name: string; input: Partial<Draft>; omitted: string[] }[] = [
  {
    name: "a header",
    input: { headers: [["Authorization", `Bearer ${SECRET}`]] },
    omitted: ["the header authorization"],
  },
  {
    name: "a cookie",
    input: { headers: [["cookie", `a=${SECRET}`]] },
    omitted: ["the header cookie"],
  },
  {
    name: "a parameter",
    input: { url: `https://a.test/?x=1&api_key=${SECRET}&y=2` },
    omitted: ["the parameter api_key"],
  },
  {
    name: "an encoded parameter",
    input: { url: `https://a.test/?%74oken=${SECRET}` },
    omitted: ["the parameter token"],
  },
  {
    name: "the user in the URL",
    input: { url: `https://me:${SECRET}@a.test/` },
    omitted: ["the user in the URL"],
  },
  { name: "a fragment", input: { url: `https://a.test/#access_token=${SECRET}` }, omitted: [] },
  {
    name: "a path below an upstream",
    input: { upstream: "shop", url: `/x?token=${SECRET}` },
    omitted: ["the parameter token"],
  },
  {
    name: "a JSON member",
    input: {
      method: "POST",
      bodyKind: "json",
      bodyText: `{"user": "x", "password" : "${SECRET}"}`,
    },
    omitted: ["the member password"],
  },
  {
    name: "a form field",
    input: {
      method: "POST",
      bodyKind: "text",
      bodyText: `user=x&password=${SECRET}`,
      headers: [["content-type", "application/x-www-form-urlencoded"]],
    },
    omitted: ["the field password"],
  },
  {
    name: "another place",
    input: { url: `https://a.test/${SECRET}`, headers: [["authorization", `Bearer ${SECRET}`]] },
    omitted: ["the header authorization", "a credential in another place"],
  },
];
for (const { name, input, omitted } of PLACES) {
  Deno.test(`a link and the history omit a credential in ${name}`, () => {
    const shared = encodeShare(draft(input));
    const text = JSON.stringify(decodeShare(shared.fragment));
    assert(!text.includes(SECRET), text);
    assertEquals(shared.omitted, omitted);
    const { storage, stored } = createStorage();
    createHistory(storage).add({ draft: draft(input), at: 1, outcome: "200" });
    assert(
      !stored().includes(SECRET) && stored().includes("a.test") !== (input.upstream === "shop"),
    );
  });
}

Deno.test("scrubDraft() removes the token of the service wherever it occurs", () => {
  const { draft: clean, omitted } = scrubDraft(
    draft({
      url: `https://a.test/${SECRET}`,
      headers: [[`x-${SECRET}`, `a ${SECRET}`]],
      bodyKind: "text",
      bodyText: `hello ${SECRET}`,
    }),
    [SECRET],
  );
  assert(!JSON.stringify(clean).includes(SECRET));
  assertEquals(omitted, ["a credential in another place"]);
});

Deno.test("scrubDraft() keeps everything else unchanged", () => {
  const kept = draft({
    method: "POST",
    url: "https://a.test/x?max_tokens=&q=a%20b&x",
    headers: [["accept", "*/*"]],
    bodyKind: "json",
    bodyText: '{"max_tokens": 100, "n": 1.0}',
  });
  assertEquals(scrubDraft(kept), { draft: kept, omitted: [] });
});
