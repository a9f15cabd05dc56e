import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { isCredentialName, scrubDraft } from "../../src/console/credentials.ts";
import {
  ANSWER_MODES,
  BODY_KINDS,
  type Draft,
  EMPTY_DRAFT,
  REDIRECT_MODES,
} from "../../src/console/draft.ts";
import { createHistory } from "../../src/console/history.ts";
import { decodeShare, encodeShare, parseDraft } from "../../src/console/share.ts";

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
  Deno.test(`isCredentialName() says ${expected} of ${name}`, () => {
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
    name: "another place too",
    input: { url: `https://a.test/${SECRET}`, headers: [["authorization", `Bearer ${SECRET}`]] },
    omitted: ["the header authorization", "a credential that stood elsewhere"],
  },
];
for (const { name, input, omitted } of PLACES) {
  Deno.test(`neither a link nor the history holds a credential from ${name}`, () => {
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

Deno.test("scrubDraft() takes the service's own credential out, wherever it stands", () => {
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
  assertEquals(omitted, ["a credential that stood elsewhere"]);
});

Deno.test("scrubDraft() leaves everything else as it is", () => {
  const kept = draft({
    method: "POST",
    url: "https://a.test/x?max_tokens=&q=a%20b&x",
    headers: [["accept", "*/*"]],
    bodyKind: "json",
    bodyText: '{"max_tokens": 100, "n": 1.0}',
  });
  assertEquals(scrubDraft(kept), { draft: kept, omitted: [] });
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
  mode: fc.constantFrom(...ANSWER_MODES),
  redirect: fc.constantFrom(...REDIRECT_MODES),
});

Deno.test("decodeShare() gives back what encodeShare() kept", () => {
  fc.assert(fc.property(drafts, (input) => {
    assertEquals(decodeShare(encodeShare(input).fragment), scrubDraft(input).draft);
  }));
});

Deno.test("decodeShare() gives nothing for what is no link", () => {
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

Deno.test("parseDraft() refuses what has a wrong type anywhere", () => {
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

Deno.test("encodeShare() leaves out a body that is too long, and a file", () => {
  const long = encodeShare(
    draft({ method: "POST", bodyKind: "text", bodyText: "x".repeat(20_000) }),
  );
  assertEquals(long.omitted, ["the body, which is too long for a link"]);
  assertEquals(decodeShare(long.fragment)?.bodyText, "");
  assertEquals(encodeShare(draft({ method: "POST", bodyKind: "file" })).omitted, ["the file"]);
});

function createStorage(first?: string): {
  readonly storage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  readonly stored: () => string;
} {
  const items = new Map<string, string>(first === undefined ? [] : [["wsfetch.history", first]]);
  return {
    storage: {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => void items.set(key, value),
      removeItem: (key) => void items.delete(key),
    },
    stored: () => [...items.values()].join(""),
  };
}

Deno.test("createHistory() keeps a hundred, newest first, each once, beyond the page", () => {
  const { storage } = createStorage();
  const history = createHistory(storage);
  for (let at = 0; at < 120; at++) {
    history.add({ draft: draft({ url: `https://a.test/${at}` }), at, outcome: "200" });
  }
  history.add({ draft: draft({ url: "https://a.test/100" }), at: 200, outcome: "404" });
  const again = createHistory(storage);
  assertEquals(again.entries.length, 100);
  assertEquals(again.entries.slice(0, 2).map(({ at, outcome }) => [at, outcome]), [[200, "404"], [
    119,
    "200",
  ]]);
  assertEquals(
    again.entries.filter(({ draft: { url } }) => url === "https://a.test/100").length,
    1,
  );
  again.clear();
  assertEquals(createHistory(storage).entries, []);
});

for (
  const stored of ["", "{", "null", "[1,null,{}]", '[{"draft":{"url":1},"at":1,"outcome":""}]']
) {
  Deno.test(`createHistory() begins anew when ${JSON.stringify(stored)} is stored`, () => {
    assertEquals(createHistory(createStorage(stored).storage).entries, []);
  });
}

Deno.test("createHistory() lasts as long as the page when nothing can be stored", () => {
  const fails = (): never => {
    throw new DOMException("no", "QuotaExceededError");
  };
  for (const storage of [undefined, { getItem: fails, setItem: fails, removeItem: fails }]) {
    const history = createHistory(storage);
    history.add({
      draft: draft({ bodyKind: "text", bodyText: "x".repeat(9000) }),
      at: 1,
      outcome: "200",
    });
    assertEquals(history.entries.map(({ draft: { bodyText } }) => bodyText), [""]);
    history.clear();
    assertEquals(history.entries, []);
  }
});
