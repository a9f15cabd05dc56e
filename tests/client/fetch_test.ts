import { assert, assertEquals, assertRejects } from "@std/assert";
import { getEventListeners } from "node:events";
import { createClient, type FetchInit } from "../../src/client/mod.ts";
import type { Limits } from "../../src/protocol/mod.ts";
import { startFakeServer } from "../helpers/fake_server.ts";
import { type Conversation, startConversation } from "./converse.ts";
import { failureOf, rejectionOf } from "./failures.ts";

const TARGET = "http://upstream.example/";

/** A client that has a connection and knows the limits. */
function converse(
  limits: Partial<Limits> = {},
  options: { readonly windowBytes?: number } = {},
): Promise<Conversation> {
  return startConversation({ limits, options });
}

const REQUESTS: readonly { name: string; init: FetchInit; expected: object }[] = [
  { name: "a GET", init: {}, expected: { method: "GET", redirect: "follow" } },
  { name: "a lower-case method", init: { method: "put" }, expected: { method: "PUT" } },
  { name: "headers", init: { headers: { A: " b " } }, expected: { headers: [["a", "b"]] } },
  { name: "redirect", init: { redirect: "manual" }, expected: { redirect: "manual" } },
  { name: "timeoutMs", init: { wsfetch: { timeoutMs: 7 } }, expected: { timeoutMs: 7 } },
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
    await using talk = await converse();
    const call = talk.client.fetch(TARGET, init);
    const frame = await talk.connection.next();
    for (const [member, value] of Object.entries(expected)) assertEquals(frame[member], value);
    talk.connection.respond(frame.id, "");
    await call;
  });
}

Deno.test("fetch() sends FormData with its boundary", async () => {
  await using talk = await converse();
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
  Deno.test(`fetch() takes a ${input.constructor.name}`, async () => {
    await using talk = await converse();
    const call = talk.client.fetch(input);
    const { id, url, headers } = await talk.connection.next();
    assertEquals([url, headers], [TARGET, input instanceof Request ? [["a", "b"]] : []]);
    talk.connection.respond(id, "");
    await call;
  });
}

Deno.test("fetch() takes the body of a Request, which is used then", async () => {
  await using talk = await converse();
  const request = new Request(TARGET, { method: "POST", body: "short" });
  const call = talk.client.fetch(request);
  const frame = await talk.connection.next();
  assertEquals([frame.text, request.bodyUsed], ["short", true]);
  talk.connection.respond(frame.id, "");
  await call;
  assert(await rejectionOf(talk.client.fetch(request)) instanceof TypeError);
});

const REFUSED: readonly { name: string; input: string; init?: FetchInit }[] = [
  { name: "a relative URL where there is no location", input: "/relative" },
  { name: "a URL of another scheme", input: "data:text/plain,x" },
  { name: "a file", input: "file:///etc/passwd" },
  { name: "a body with GET", input: TARGET, init: { body: "x" } },
  { name: "a method that is forbidden", input: TARGET, init: { method: "CONNECT" } },
  { name: "a header that cannot be", input: TARGET, init: { headers: { "a b": "c" } } },
];
for (const { name, input, init } of REFUSED) {
  Deno.test(`fetch() rejects ${name} with TypeError`, async () => {
    const client = createClient("ws://127.0.0.1:1/ws");
    await assertRejects(() => client.fetch(input, init), TypeError);
    assertEquals(client.state.type, "idle");
  });
}

Deno.test("fetch() gives a real Response", async () => {
  await using talk = await converse();
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.respond(id, "text", {
    status: 404,
    statusText: "Gone fishing",
    url: "http://other.example/x",
    redirected: true,
    headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x", "1"], ["x", "2"]],
  });
  const response = await call;
  assert(response instanceof Response);
  for (const each of [response.clone().clone(), response.clone(), response]) {
    assertEquals([each.status, each.ok, each.statusText], [404, false, "Gone fishing"]);
    assertEquals([each.url, each.redirected], ["http://other.example/x", true]);
    assertEquals(each.headers.getSetCookie(), ["a=1", "b=2"]);
    assertEquals(each.headers.get("x"), "1, 2");
    assertEquals(await each.text(), "text");
  }
});

const NULL_BODIES: readonly { name: string; init: FetchInit; members: object }[] = [
  { name: "204", init: {}, members: { status: 204, text: undefined } },
  { name: "304 with a body all the same", init: {}, members: { status: 304 } },
  { name: "HEAD", init: { method: "HEAD" }, members: { text: undefined } },
  { name: "no body member", init: {}, members: { text: undefined } },
];
for (const { name, init, members } of NULL_BODIES) {
  Deno.test(`fetch() gives a null body for ${name}`, async () => {
    await using talk = await converse();
    const call = talk.client.fetch(TARGET, init);
    talk.connection.respond((await talk.connection.next()).id, "x", members);
    const response = await call;
    assertEquals([response.body, await response.text()], [null, ""]);
  });
}

Deno.test("fetch() refuses a body as JSON, which it never asks for", async () => {
  await using talk = await converse();
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.respond(id, "", { text: undefined, json: 1 });
  assertEquals((await failureOf(call)).code, "bad_frame");
  assertEquals(await talk.connection.next(), { type: "cancel", id });
});

Deno.test("fetch() gives a null body for a 204 that says a body follows, and cancels it", async () => {
  await using talk = await converse();
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.stream(id, { status: 204 });
  assertEquals((await call).body, null);
  assertEquals(await talk.connection.next(), { type: "cancel", id });
});

for (const status of [103, 600, 999]) {
  Deno.test(`fetch() gives the status ${status}, which a constructor does not take`, async () => {
    await using talk = await converse();
    const call = talk.client.fetch(TARGET);
    talk.connection.respond((await talk.connection.next()).id, "x", { status });
    const response = await call;
    assertEquals([response.status, response.ok, response.clone().status], [status, false, status]);
  });
}

Deno.test("fetch() grants credit as the reader takes bytes, in batches of half a window", async () => {
  await using talk = await converse({}, { windowBytes: 8 });
  const call = talk.client.fetch(TARGET);
  const { id, windowBytes } = await talk.connection.next();
  assertEquals(windowBytes, 8);
  talk.connection.stream(id);
  for (const text of ["ab", "cd", "ef", "gh"]) talk.connection.sendChunk(id, text);
  const reader = (await call).body?.getReader();
  if (reader === undefined) throw new Error("The response has no body");
  const read = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
  assertEquals([await read(), await read()], ["ab", "cd"]);
  assertEquals(await talk.connection.next(), { type: "grant", id, bytes: 4 });
  assertEquals([await read(), await read()], ["ef", "gh"]);
  assertEquals(await talk.connection.next(), { type: "grant", id, bytes: 4 });
  talk.connection.sendChunk(id, "ij", true);
  assertEquals(await read(), "ij");
  assertEquals((await reader.read()).done, true);
});

Deno.test("fetch() takes a window to its last byte, and grants as much once it is read", async () => {
  await using talk = await converse({}, { windowBytes: 8 });
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.stream(id);
  talk.connection.sendChunk(id, "abcdefgh");
  const reader = (await call).body?.getReader();
  const read = async (): Promise<string> => new TextDecoder().decode((await reader?.read())?.value);
  assertEquals(await read(), "abcdefgh");
  assertEquals(await talk.connection.next(), { type: "grant", id, bytes: 8 });
  talk.connection.sendChunk(id, "ijklmnop");
  assertEquals(await read(), "ijklmnop");
  assertEquals(await talk.connection.next(), { type: "grant", id, bytes: 8 });
  talk.connection.sendChunk(id, "", true);
  assertEquals((await reader?.read())?.done, true);
  const next = talk.client.fetch(TARGET);
  const between: unknown[] = [];
  let frame = await talk.connection.next();
  for (; frame.type !== "request"; frame = await talk.connection.next()) between.push(frame);
  talk.connection.respond(frame.id, "");
  await next;
  assertEquals(between, []); // nothing is granted twice
});

Deno.test("a body can be read into the reader's own memory", async () => {
  await using talk = await converse();
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.stream(id);
  const reader = (await call).body?.getReader({ mode: "byob" });
  const first = reader?.read(new Uint8Array(2));
  talk.connection.sendChunk(id, "abc");
  assertEquals((await first)?.value, new Uint8Array([97, 98]));
  assertEquals((await reader?.read(new Uint8Array(2)))?.value, new Uint8Array([99]));
  const last = reader?.read(new Uint8Array(2));
  talk.connection.sendChunk(id, "", true);
  assertEquals((await last)?.done, true);
});

Deno.test("a server that exceeds the window fails the exchange, and is told to stop", async () => {
  await using talk = await converse({}, { windowBytes: 4 });
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.stream(id);
  talk.connection.sendChunk(id, "abcde");
  const error = await failureOf((await call).text());
  assertEquals(error.code, "flow_control_error");
  assertEquals(await talk.connection.next(), { type: "cancel", id });
});

Deno.test("two bodies that come in turns are not mixed", async () => {
  await using talk = await converse();
  const calls = [talk.client.fetch(`${TARGET}a`), talk.client.fetch(`${TARGET}b`)];
  const ids = [(await talk.connection.next()).id, (await talk.connection.next()).id];
  for (const id of ids.toReversed()) talk.connection.stream(id);
  for (let round = 0; round < 3; round++) {
    for (const id of ids) talk.connection.sendChunk(id, `${id}`);
  }
  for (const id of ids) talk.connection.sendChunk(id, "", true);
  const texts = await Promise.all(calls.map(async (call) => await (await call).text()));
  assertEquals(texts, ids.map((id) => `${id}${id}${id}`));
});

Deno.test("a body that breaks off fails after what has come was read", async () => {
  await using talk = await converse();
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.stream(id);
  talk.connection.sendChunk(id, "begun");
  talk.connection.send({
    type: "error",
    id,
    code: "http_response_incomplete",
    message: "cut off",
    retryable: true,
    sent: "yes",
  });
  const reader = (await call).body?.getReader();
  assertEquals((await reader?.read())?.value?.byteLength, 5);
  const error = await failureOf(Promise.resolve(reader?.read()));
  assertEquals([error.code, error.sent], ["http_response_incomplete", "yes"]);
});

Deno.test("fetch() rejects with what an error frame says, of a code unknown too", async () => {
  await using talk = await converse();
  for (const code of ["dns_error", "not_invented_yet"]) {
    const call = talk.client.fetch(TARGET);
    const { id } = await talk.connection.next();
    const said = { code, message: "why", retryable: true, sent: "no", retryAfterMs: 5 };
    talk.connection.send({ type: "error", id, ...said });
    const { message, retryable, sent, retryAfterMs, ...rest } = await failureOf(call);
    assertEquals({ code: String(rest.code), message, retryable, sent, retryAfterMs }, said);
  }
});

Deno.test("an aborted signal rejects before anything is sent", async () => {
  const client = createClient("ws://127.0.0.1:1/ws");
  const reason = new Error("enough");
  assertEquals(
    await rejectionOf(client.fetch(TARGET, { signal: AbortSignal.abort(reason) })),
    reason,
  );
  assertEquals(client.state.type, "idle");
});

Deno.test("abort() before the head rejects with AbortError, and cancels", async () => {
  await using talk = await converse();
  const abort = new AbortController();
  const call = talk.client.fetch(new Request(TARGET, { signal: abort.signal }));
  const { id } = await talk.connection.next();
  abort.abort();
  const error = await rejectionOf(call);
  assert(error instanceof DOMException && error.name === "AbortError");
  assertEquals(await talk.connection.next(), { type: "cancel", id });
  talk.connection.respond(id, "late"); // nobody listens
});

Deno.test("abort() while the request waits for a connection takes it out of the queue", async () => {
  await using server = startFakeServer({ hello: false });
  await using client = createClient(server.url);
  const abort = new AbortController();
  const body = new Blob(["x"]).stream();
  const call = client.fetch(TARGET, { method: "POST", body, signal: abort.signal });
  const other = client.fetch(`${TARGET}other`);
  const connection = await server.accept();
  const { id } = await connection.next();
  const reason = new Error("enough");
  abort.abort(reason);
  assertEquals(await rejectionOf(call), reason);
  connection.greet();
  connection.respond(id, "");
  await other;
  const next = client.fetch(`${TARGET}next`);
  const frame = await connection.next();
  assertEquals(frame.url, `${TARGET}next`);
  connection.respond(frame.id, "");
  await next;
});

Deno.test("abort() in the middle of the body fails its reader with the reason, and cancels", async () => {
  await using talk = await converse();
  const abort = new AbortController();
  const call = talk.client.fetch(TARGET, { signal: abort.signal });
  const { id } = await talk.connection.next();
  talk.connection.stream(id);
  talk.connection.sendChunk(id, "begun");
  const text = (await call).text();
  const reason = new Error("enough");
  abort.abort(reason);
  assertEquals(await rejectionOf(text), reason);
  assertEquals(await talk.connection.next(), { type: "cancel", id });
});

for (const form of ["whole", "in chunks"]) {
  Deno.test(`abort() after all of a body has come ${form}, unread, fails its reader`, async () => {
    await using talk = await converse();
    const abort = new AbortController();
    const call = talk.client.fetch(TARGET, { signal: abort.signal });
    const { id } = await talk.connection.next();
    if (form === "whole") talk.connection.respond(id, "all");
    else {
      talk.connection.stream(id);
      talk.connection.sendChunk(id, "all", true);
    }
    const response = await call;
    abort.abort();
    const error = await rejectionOf(response.text());
    assert(error instanceof DOMException && error.name === "AbortError");
  });
}

Deno.test("abort() after the body was read does nothing", async () => {
  await using talk = await converse();
  const abort = new AbortController();
  const call = talk.client.fetch(TARGET, { signal: abort.signal });
  talk.connection.respond((await talk.connection.next()).id, "all");
  assertEquals(await (await call).text(), "all");
  abort.abort();
  const next = talk.client.fetch(TARGET);
  const frame = await talk.connection.next();
  assertEquals(frame.type, "request");
  talk.connection.respond(frame.id, "");
  await next;
});

interface EndedCall {
  readonly talk: Conversation;
  readonly call: Promise<Response>;
  readonly id: number;
  readonly abort: AbortController;
}

const ENDS: Readonly<Record<string, (ended: EndedCall) => Promise<unknown>>> = {
  "a response without a body": ({ talk, call, id }) => {
    talk.connection.respond(id, "", { status: 204 });
    return call;
  },
  async "a whole body that was read"({ talk, call, id }): Promise<void> {
    talk.connection.respond(id, "all");
    await (await call).text();
  },
  async "a streamed body that was read"({ talk, call, id }): Promise<void> {
    talk.connection.stream(id);
    talk.connection.sendChunk(id, "all", true);
    await (await call).text();
  },
  async "a body that its reader cancelled"({ talk, call, id }): Promise<void> {
    talk.connection.stream(id);
    await (await call).body?.cancel();
  },
  "a failure before the head": ({ talk, call, id }) => {
    talk.connection.send({ type: "error", id, code: "http_request_denied", message: "no" });
    return rejectionOf(call);
  },
  async "a failure inside the body"({ talk, call, id }): Promise<void> {
    talk.connection.stream(id);
    talk.connection.send({ type: "error", id, code: "connection_timeout", message: "late" });
    await rejectionOf((await call).text());
  },
  "abort() before the head": ({ call, abort }) => {
    abort.abort();
    return rejectionOf(call);
  },
  async "abort() inside the body"({ talk, call, id, abort }): Promise<void> {
    talk.connection.stream(id);
    const { body } = await call;
    abort.abort();
    await rejectionOf(new Response(body).text());
  },
};

for (const [name, end] of Object.entries(ENDS)) {
  Deno.test(`fetch() listens to its signal no more after ${name}`, async () => {
    await using talk = await converse();
    const abort = new AbortController();
    const call = talk.client.fetch(TARGET, { signal: abort.signal });
    const { id } = await talk.connection.next();
    assertEquals(getEventListeners(abort.signal, "abort").length, 1);
    await end({ talk, call, id, abort });
    assertEquals(getEventListeners(abort.signal, "abort").length, 0);
  });
}

Deno.test("a body that its reader cancels is cancelled", async () => {
  await using talk = await converse();
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.stream(id);
  await (await call).body?.cancel();
  assertEquals(await talk.connection.next(), { type: "cancel", id });
});

Deno.test("a stream goes in chunks of 64 KiB at most, within credit", async () => {
  await using talk = await converse({ windowBytes: 100_000 });
  const body = new Blob([new Uint8Array(150_000)]).stream();
  const call = talk.client.fetch(TARGET, { method: "POST", body });
  const { id, bodyFollows, text } = await talk.connection.next();
  assertEquals([bodyFollows, text], [true, undefined]);
  let received = 0;
  while (received < 100_000) {
    const chunk = await talk.connection.next();
    assert(chunk.type === "chunk" && chunk.id === id && !chunk.fin);
    assert(chunk.payload.byteLength <= 65_536);
    received += chunk.payload.byteLength;
  }
  assertEquals(received, 100_000); // and nothing more until it is granted
  talk.connection.send({ type: "grant", id, bytes: 50_000 });
  for (;;) {
    const { type, payload, fin } = await talk.connection.next();
    assertEquals(type, "chunk");
    received += payload.byteLength;
    if (fin) break;
  }
  assertEquals(received, 150_000);
  talk.connection.respond(id, "ok");
  assertEquals(await (await call).text(), "ok");
});

const TOO_LARGE: readonly { name: string; limits: Partial<Limits> }[] = [
  { name: "a frame may be", limits: { maxFrameBytes: 2000 } },
  { name: "a body in a frame may be", limits: { maxRequestBytes: 2000 } },
];
for (const { name, limits } of TOO_LARGE) {
  Deno.test(`a body that is larger than ${name} goes in chunks`, async () => {
    await using talk = await converse(limits);
    const call = talk.client.fetch(TARGET, { method: "POST", body: "x".repeat(3000) });
    const { id, bodyFollows } = await talk.connection.next();
    assertEquals(bodyFollows, true);
    assertEquals((await talk.connection.next()).payload.byteLength, 3000);
    assertEquals((await talk.connection.next()).fin, true);
    talk.connection.respond(id, "");
    await call;
  });
}

Deno.test("an answer that comes before the upload has ended stops it", async () => {
  await using talk = await converse({ windowBytes: 10 });
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(new Uint8Array(10)),
    cancel: () => cancelled.resolve(),
  });
  const call = talk.client.fetch(TARGET, { method: "POST", body });
  const { id } = await talk.connection.next();
  assertEquals((await talk.connection.next()).type, "chunk");
  talk.connection.respond(id, "enough");
  assertEquals(await (await call).text(), "enough");
  await cancelled.promise;
});

Deno.test("a head that comes before the upload has ended lets it go on", async () => {
  await using talk = await converse({ windowBytes: 1 });
  const body = new Blob(["ab"]).stream();
  const call = talk.client.fetch(TARGET, { method: "POST", body });
  const { id } = await talk.connection.next();
  assertEquals((await talk.connection.next()).payload, new Uint8Array([97]));
  talk.connection.stream(id);
  const response = await call;
  talk.connection.send({ type: "grant", id, bytes: 1 });
  assertEquals((await talk.connection.next()).payload, new Uint8Array([98]));
  assertEquals((await talk.connection.next()).fin, true);
  talk.connection.sendChunk(id, "ok", true);
  assertEquals(await response.text(), "ok");
});

Deno.test("abort() during an upload stops it and cancels its source", async () => {
  await using talk = await converse({ windowBytes: 10 });
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(new Uint8Array(10)),
    cancel: () => cancelled.resolve(),
  });
  const abort = new AbortController();
  const call = talk.client.fetch(TARGET, { method: "POST", body, signal: abort.signal });
  const { id } = await talk.connection.next();
  assertEquals((await talk.connection.next()).type, "chunk");
  abort.abort();
  await rejectionOf(call);
  assertEquals(await talk.connection.next(), { type: "cancel", id });
  await cancelled.promise;
});

const BAD_SOURCES: readonly { name: string; body: ReadableStream }[] = [
  { name: "fails", body: new ReadableStream({ pull: () => Promise.reject(new Error("source")) }) },
  {
    name: "gives no bytes",
    body: new ReadableStream({ pull: (controller) => controller.enqueue("text") }),
  },
];
for (const { name, body } of BAD_SOURCES) {
  Deno.test(`a body that ${name} rejects with TypeError, and cancels`, async () => {
    await using talk = await converse();
    const failure = failureOf(talk.client.fetch(TARGET, { method: "POST", body }));
    const { id } = await talk.connection.next();
    await failure;
    assertEquals(await talk.connection.next(), { type: "cancel", id });
  });
}

Deno.test("a cancel that crosses the answer leaves the connection as it was, in both orders", async () => {
  await using talk = await converse();
  for (const order of ["cancel first", "answer first"]) {
    const abort = new AbortController();
    const call = talk.client.fetch(TARGET, { signal: abort.signal });
    const { id } = await talk.connection.next();
    if (order === "answer first") {
      talk.connection.respond(id, "answer");
      assertEquals(await (await call).text(), "answer");
      abort.abort();
    } else {
      abort.abort();
      talk.connection.respond(id, "answer");
      await rejectionOf(call);
      assertEquals((await talk.connection.next()).type, "cancel");
    }
  }
  const last = talk.client.fetch(TARGET);
  talk.connection.respond((await talk.connection.next()).id, "last");
  assertEquals(await (await last).text(), "last");
});
