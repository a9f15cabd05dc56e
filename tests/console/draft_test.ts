import { assertEquals } from "@std/assert";
import {
  defaultContentType,
  type Draft,
  EMPTY_DRAFT,
  findFieldProblems,
  toRequest,
  toTarget,
} from "../../src/console/draft.ts";

const draft = (changes: Partial<Draft>): Draft => ({
  ...EMPTY_DRAFT,
  url: "https://a.test/",
  ...changes,
});

const TARGETS = [
  {
    name: "a URL",
    input: { upstream: "", url: " https://a.test/x?y " },
    expected: "https://a.test/x?y",
  },
  { name: "no scheme", input: { upstream: "", url: "a.test/x" }, expected: "https://a.test/x" },
  {
    name: "a local host",
    input: { upstream: "", url: "localhost:80/x" },
    expected: "http://localhost:80/x",
  },
  { name: "//", input: { upstream: "", url: "//a.test" }, expected: "https://a.test" },
  { name: "name:/path", input: { upstream: "", url: "shop:/x" }, expected: "shop:/x" },
  { name: "an upstream", input: { upstream: "shop", url: "/x?y" }, expected: "shop:/x?y" },
  { name: "no slash", input: { upstream: "shop", url: "x" }, expected: "shop:/x" },
  { name: "nothing", input: { upstream: "", url: "  " }, expected: "" },
];
for (const { name, input, expected } of TARGETS) {
  Deno.test(`toTarget() accepts ${name}`, () => assertEquals(toTarget(input), expected));
}

const PROBLEMS: readonly { name: string; input: Partial<Draft>; expected: string[] }[] = [
  { name: "no problem", input: {}, expected: [] },
  { name: "no URL", input: { url: "" }, expected: ["url"] },
  { name: "another scheme", input: { url: "ftp://a.test/" }, expected: ["url"] },
  { name: "a user in the URL", input: { url: "https://me:pw@a.test/" }, expected: ["url"] },
  { name: "an invalid URL", input: { url: "https://[" }, expected: ["url"] },
  { name: "a method with a space", input: { method: "G T" }, expected: ["method"] },
  {
    name: "a header name with a space",
    input: { headers: [["a b", "c"]] },
    expected: ["headers"],
  },
  {
    name: "a header with a line break",
    input: { headers: [["a", "b\nc"]] },
    expected: ["headers"],
  },
  { name: "a header with an emoji", input: { headers: [["a", "🙂"]] }, expected: ["headers"] },
  { name: "a body with GET", input: { bodyKind: "text", bodyText: "x" }, expected: ["body"] },
  {
    name: "invalid JSON",
    input: { method: "POST", bodyKind: "json", bodyText: "{" },
    expected: ["body"],
  },
  { name: "no file", input: { method: "POST", bodyKind: "file" }, expected: ["body"] },
  { name: "a fractional timeout", input: { timeoutMs: 0.5 }, expected: ["timeout"] },
  { name: "a timeout that is not a number", input: { timeoutMs: NaN }, expected: ["timeout"] },
];
for (const { name, input, expected } of PROBLEMS) {
  Deno.test(`findFieldProblems() reports ${name}`, () => {
    assertEquals(findFieldProblems(draft(input), false).map(({ field }) => field), expected);
  });
}

Deno.test("defaultContentType() depends on the body kind, unless there is a header", () => {
  assertEquals(defaultContentType(draft({ bodyKind: "json" })), "application/json");
  assertEquals(defaultContentType(draft({ bodyKind: "text" })), "text/plain;charset=utf-8");
  assertEquals(defaultContentType(draft({ bodyKind: "file" }), "image/png"), "image/png");
  assertEquals(defaultContentType(draft({ bodyKind: "file" })), "application/octet-stream");
  assertEquals(defaultContentType(draft({ bodyKind: "none" })), undefined);
  const headers = [["Content-Type", "x/y"]] as const;
  assertEquals(defaultContentType(draft({ bodyKind: "json", headers })), undefined);
});

Deno.test("toRequest() returns the request of a draft", async () => {
  const request = await toRequest(
    draft({ method: "POST", bodyKind: "json", bodyText: "1.0", timeoutMs: 5, redirect: "manual" }),
  );
  assertEquals(request, {
    method: "POST",
    url: new URL("https://a.test/"),
    headers: [["content-type", "application/json"]],
    body: new TextEncoder().encode("1.0"),
    redirect: "manual",
    signal: undefined,
    timeoutMs: 5,
  });
});

Deno.test("toRequest() reads a small file and streams a large one", async () => {
  const small = new File(["abc"], "a.txt", { type: "text/plain" });
  const { body, headers } = await toRequest(draft({ method: "PUT", bodyKind: "file" }), small);
  assertEquals([body, headers], [new TextEncoder().encode("abc"), [[
    "content-type",
    "text/plain",
  ]]]);
  const large = new File([new Uint8Array(2_000_000)], "b.bin");
  const streamed = await toRequest(draft({ method: "PUT", bodyKind: "file" }), large);
  if (streamed.body === null || streamed.body instanceof Uint8Array) throw new Error("no stream");
  assertEquals((await streamed.body.read()).done, false);
  await streamed.body.cancel();
});
