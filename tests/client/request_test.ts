import { assert, assertEquals, assertRejects } from "@std/assert";
import { createClient, type FetchInit } from "../../src/client/mod.ts";
import { startConversation } from "./conversation.ts";
import { rejectionOf } from "./rejections.ts";

const TARGET = "http://upstream.example/";

const REQUESTS: readonly { name: string; init: FetchInit; expected: object }[] = [
  { name: "a GET", init: {}, expected: { method: "GET", redirect: "follow" } },
  { name: "a lower-case method", init: { method: "put" }, expected: { method: "PUT" } },
  { name: "headers", init: { headers: { A: " b " } }, expected: { headers: [["a", "b"]] } },
  { name: "redirect", init: { redirect: "manual" }, expected: { redirect: "manual" } },
  { name: "timeoutMs", init: { wsfetch: { timeoutMs: 7 } }, expected: { timeoutMs: 7 } },
  { name: "no decode", init: {}, expected: { decode: undefined } },
  { name: "decode", init: { wsfetch: { decode: false } }, expected: { decode: false } },
  { name: "credit", init: {}, expected: { stream: true, windowBytes: 262_144 } },
  {
    name: "a string",
    init: { method: "POST", body: "é" },
    expected: { text: "é", headers: [["content-type", "text/plain;charset=UTF-8"]] },
  },
  { name: "an empty string", init: { method: "POST", body: "" }, expected: { text: "" } },
  {
    name: "bytes",
    init: { method: "POST", body: new Uint8Array([255]) },
    expected: { base64: "/w==" },
  },
  {
    name: "an ArrayBuffer",
    init: { method: "POST", body: new Uint8Array([65]).buffer },
    expected: { text: "A" },
  },
  {
    name: "a Blob",
    init: { method: "POST", body: new Blob(["b"], { type: "x/y" }) },
    expected: { text: "b", headers: [["content-type", "x/y"]] },
  },
  {
    name: "URLSearchParams",
    init: { method: "POST", body: new URLSearchParams({ a: "b c" }) },
    expected: { text: "a=b+c" },
  },
];
for (const { name, init, expected } of REQUESTS) {
  Deno.test(`fetch() sends ${name}`, async () => {
    await using talk = await startConversation();
    const call = talk.client.fetch(TARGET, init);
    const frame = await talk.connection.next();
    for (const [member, value] of Object.entries(expected)) assertEquals(frame[member], value);
    talk.connection.respond(frame.id, "");
    await call;
  });
}

Deno.test("fetch() sends FormData with the boundary in its content type", async () => {
  await using talk = await startConversation();
  const body = new FormData();
  body.set("a", new File(["1"], "f.txt"));
  const call = talk.client.fetch(TARGET, { method: "POST", body });
  const { id, text, headers } = await talk.connection.next();
  const [, type] = headers.find(([name]: [string]) => name === "content-type");
  const sent = await new Response(text, { headers: { "content-type": type } }).formData();
  const file = sent.get("a");
  assert(file instanceof File && file.name === "f.txt");
  talk.connection.respond(id, "");
  await call;
});

for (const input of [TARGET, new URL(TARGET), new Request(TARGET, { headers: { a: "b" } })]) {
  Deno.test(`fetch() accepts a ${input.constructor.name}`, async () => {
    await using talk = await startConversation();
    const call = talk.client.fetch(input);
    const { id, url, headers } = await talk.connection.next();
    assertEquals([url, headers], [TARGET, input instanceof Request ? [["a", "b"]] : []]);
    talk.connection.respond(id, "");
    await call;
  });
}

Deno.test("fetch() reads the body of a Request, which is then used", async () => {
  await using talk = await startConversation();
  const request = new Request(TARGET, { method: "POST", body: "short" });
  const call = talk.client.fetch(request);
  const frame = await talk.connection.next();
  assertEquals([frame.text, request.bodyUsed], ["short", true]);
  talk.connection.respond(frame.id, "");
  await call;
  assert(await rejectionOf(talk.client.fetch(request)) instanceof TypeError);
});

const REFUSED: readonly { name: string; input: string; init?: FetchInit }[] = [
  { name: "a relative URL outside a page", input: "/relative" },
  { name: "a URL with another scheme", input: "data:text/plain,x" },
  { name: "a file", input: "file:///etc/passwd" },
  { name: "a body with GET", input: TARGET, init: { body: "x" } },
  { name: "a forbidden method", input: TARGET, init: { method: "CONNECT" } },
  { name: "an invalid header name", input: TARGET, init: { headers: { "a b": "c" } } },
];
for (const { name, input, init } of REFUSED) {
  Deno.test(`fetch() rejects ${name} with a TypeError`, async () => {
    const client = createClient("ws://127.0.0.1:1/ws");
    await assertRejects(() => client.fetch(input, init), TypeError);
    assertEquals(client.state.type, "idle");
  });
}
