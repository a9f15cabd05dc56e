import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COPY_FORMATS, copyAs, type CopyFormat } from "../../src/console/copy_as.ts";
import { type Draft, EMPTY_DRAFT } from "../../src/console/draft.ts";
import { plain } from "../../src/dialect/plain.ts";
import { v1 } from "../../src/dialect/v1.ts";

const CONTEXT = { origin: "https://proxy.test", needsToken: false };
const draft = (changes: Partial<Draft>): Draft => ({
  ...EMPTY_DRAFT,
  url: "https://a.test/x?q=1",
  ...changes,
});
const POST = draft({
  method: "POST",
  headers: [["x-a", "it's"]],
  bodyKind: "json",
  bodyText: '{\n  "n": 1.0,\n  "big": 12345678901234567890,\n  "text": "it\'s"\n}',
  timeoutMs: 500,
  redirect: "manual",
});

const EXPECTED: readonly { name: string; format: CopyFormat; input: Draft; text: string }[] = [
  {
    name: "a GET as client code",
    format: "client",
    input: draft({}),
    text: `import { createClient } from "https://proxy.test/client/mod.js";

const client = createClient("wss://proxy.test/ws");
const response = await client.fetch("https://a.test/x?q=1");
console.log(response.status, await response.text());
`,
  },
  {
    name: "a POST as client code",
    format: "client",
    input: POST,
    text: `import { createClient } from "https://proxy.test/client/mod.js";

const client = createClient("wss://proxy.test/ws");
const response = await client.fetch("https://a.test/x?q=1", {
  method: "POST",
  headers: { "x-a": "it's", "content-type": "application/json" },
  body: ${JSON.stringify(POST.bodyText)},
  redirect: "manual",
  wsfetch: { timeoutMs: 500 },
});
console.log(response.status, await response.text());
`,
  },
  {
    name: "events as client code",
    format: "client",
    input: draft({ mode: "events" }),
    text: `import { createClient } from "https://proxy.test/client/mod.js";

const client = createClient("wss://proxy.test/ws");
for await (const { type, data } of client.events("https://a.test/x?q=1")) {
  console.log(type, data);
}
`,
  },
  {
    name: "a POST as a v1 frame, with unchanged numbers",
    format: "v1",
    input: POST,
    text:
      '{"type":"request","id":1,"url":"https://a.test/x?q=1","method":"POST","headers":[["x-a","it\'s"]],' +
      '"timeoutMs":500,"redirect":"manual","json":{"n":1.0,"big":12345678901234567890,"text":"it\'s"}}',
  },
  {
    name: "a path below an upstream as a v1 frame",
    format: "v1",
    input: draft({ upstream: "shop", url: "/x", mode: "lines" }),
    text: '{"type":"request","id":1,"upstream":"shop","path":"/x","stream":"lines"}',
  },
  {
    name: "text as a v1 frame",
    format: "v1",
    input: draft({ method: "POST", bodyKind: "text", bodyText: 'a"b' }),
    text: '{"type":"request","id":1,"url":"https://a.test/x?q=1","method":"POST",' +
      '"headers":[["content-type","text/plain;charset=utf-8"]],"text":"a\\"b"}',
  },
  {
    name: "a POST as a plain frame, with unchanged numbers",
    format: "plain",
    input: { ...POST, timeoutMs: null, redirect: "follow" },
    text: '{"url":"https://a.test/x?q=1","method":"POST","headers":{"x-a":"it\'s"},' +
      '"data":{"n":1.0,"big":12345678901234567890,"text":"it\'s"}}',
  },
  {
    name: "a JSON string as a plain frame that keeps its quotes",
    format: "plain",
    input: draft({ method: "POST", bodyKind: "json", bodyText: '"a"' }),
    text:
      '{"url":"https://a.test/x?q=1","method":"POST","headers":{"content-type":"application/json"},"data":"\\"a\\""}',
  },
  {
    name: "a GET as curl",
    format: "curl",
    input: draft({}),
    text: "curl \\\n  'https://a.test/x?q=1' \\\n  --location --max-redirs 10 \\\n  --compressed",
  },
  {
    name: "a POST as curl",
    format: "curl",
    input: { ...POST, headers: [["x-a", "it's"], ["x-empty", ""]], bodyText: '"it\'s"' },
    text:
      "curl \\\n  'https://a.test/x?q=1' \\\n  --header 'x-a: it'\\''s' \\\n  --header 'x-empty;' \\\n" +
      "  --header 'content-type: application/json' \\\n  --data-raw '\"it'\\''s\"' \\\n  --max-time 0.5 \\\n  --compressed",
  },
  {
    name: "HEAD with brackets as curl",
    format: "curl",
    input: draft({ method: "HEAD", url: "https://a.test/[1]", redirect: "error" }),
    text: "curl \\\n  --head \\\n  --globoff \\\n  'https://a.test/[1]' \\\n  --compressed",
  },
];
for (const { name, format, input, text } of EXPECTED) {
  Deno.test(`copyAs() writes ${name}`, () => {
    assertEquals(copyAs(format, input, CONTEXT).text, text);
  });
}

Deno.test("copyAs() writes no token into client code", () => {
  const { text } = copyAs("client", draft({}), { ...CONTEXT, needsToken: true });
  assertStringIncludes(text, 'createClient("wss://proxy.test/ws", { token: () => getToken() })');
});

Deno.test("copyAs() notes what a format cannot express", () => {
  const input = {
    ...POST,
    mode: "chunks",
    bodyKind: "file",
    headers: [["a", "1"], ["A", "2"]],
  } as const;
  assertEquals(copyAs("plain", input, CONTEXT).notes.length, 5);
  assertEquals(copyAs("v1", input, CONTEXT).notes.length, 1);
  assertEquals(copyAs("curl", { ...input, upstream: "shop" }, CONTEXT).notes.length, 2);
});

const KINDS = [
  draft({}),
  POST,
  { ...POST, bodyKind: "text" },
  { ...POST, bodyText: "null" },
  draft({ mode: "events", headers: [["a", "1"], ["a", "2"]] }),
  draft({ upstream: "shop", url: "/x" }),
  draft({ method: "PUT", bodyKind: "file", mode: "chunks" }),
] as const;
for (const [index, input] of KINDS.entries()) {
  Deno.test(`copyAs() writes frames that the service accepts, ${index + 1}`, () => {
    for (const [format, { decode }] of Object.entries({ v1, plain })) {
      const { text } = copyAs(format === "v1" ? "v1" : "plain", input, CONTEXT);
      const frame = decode(text);
      if (frame.type !== "request") throw new Error(`${format} does not read ${text}`);
      assertEquals(frame.request.method, input.method);
    }
  });
}

Deno.test("copyAs() writes frames on one line and quotes words for a shell", () => {
  assert(!copyAs("plain", POST, CONTEXT).text.includes("\n"));
  const { text } = copyAs("curl", draft({ url: "https://a.test/';touch evil;'" }), CONTEXT);
  assertStringIncludes(text, "'https://a.test/'\\'';touch evil;'\\'''");
});

Deno.test("COPY_FORMATS has a label for every format", () => {
  assertEquals(Object.keys(COPY_FORMATS), ["client", "v1", "plain", "curl"]);
});
