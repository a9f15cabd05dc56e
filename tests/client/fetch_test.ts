import { assert, assertEquals } from "@std/assert";
import { getEventListeners } from "node:events";
import { createClient } from "../../src/client/mod.ts";
import { startFakeServer } from "../helpers/fake_server.ts";
import { type Conversation, startConversation } from "./conversation.ts";
import { failureOf, rejectionOf } from "./rejections.ts";

const TARGET = "http://upstream.example/";

Deno.test("fetch() rejects a frame with a JSON body, which it never requests", async () => {
  await using talk = await startConversation();
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.respond(id, "", { text: undefined, json: 1 });
  assertEquals((await failureOf(call)).code, "bad_frame");
  assertEquals(await talk.connection.next(), { type: "cancel", id });
});

Deno.test("fetch() cancels the body of a 204 that announces one", async () => {
  await using talk = await startConversation();
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.stream(id, { status: 204 });
  assertEquals((await call).body, null);
  assertEquals(await talk.connection.next(), { type: "cancel", id });
});

Deno.test("fetch() rejects with the members of an error frame, even if its code is unknown", async () => {
  await using talk = await startConversation();
  for (const code of ["dns_error", "not_invented_yet"]) {
    const call = talk.client.fetch(TARGET);
    const { id } = await talk.connection.next();
    const said = { code, message: "why", retryable: true, sent: "no", retryAfterMs: 5 };
    talk.connection.send({ type: "error", id, ...said });
    const { message, retryable, sent, retryAfterMs, ...rest } = await failureOf(call);
    assertEquals({ code: String(rest.code), message, retryable, sent, retryAfterMs }, said);
  }
});

Deno.test("fetch() rejects with the reason of an aborted signal and sends nothing", async () => {
  const client = createClient("ws://127.0.0.1:1/ws");
  const reason = new Error("enough");
  assertEquals(
    await rejectionOf(client.fetch(TARGET, { signal: AbortSignal.abort(reason) })),
    reason,
  );
  assertEquals(client.state.type, "idle");
});

Deno.test("abort() before the head rejects with an AbortError and sends cancel", async () => {
  await using talk = await startConversation();
  const abort = new AbortController();
  const call = talk.client.fetch(new Request(TARGET, { signal: abort.signal }));
  const { id } = await talk.connection.next();
  abort.abort();
  const error = await rejectionOf(call);
  assert(error instanceof DOMException && error.name === "AbortError");
  assertEquals(await talk.connection.next(), { type: "cancel", id });
  talk.connection.respond(id, "late"); // ignored
});

Deno.test("abort() withdraws a request that waits for a connection", async () => {
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

Deno.test("abort() during the body fails its reader with the reason and sends cancel", async () => {
  await using talk = await startConversation();
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

for (const form of ["in one frame", "in chunks"]) {
  Deno.test(`abort() fails an unread body that has arrived ${form}`, async () => {
    await using talk = await startConversation();
    const abort = new AbortController();
    const call = talk.client.fetch(TARGET, { signal: abort.signal });
    const { id } = await talk.connection.next();
    if (form === "in one frame") talk.connection.respond(id, "all");
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
  await using talk = await startConversation();
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

Deno.test("abort() around the end of the response does not affect the connection", async () => {
  await using talk = await startConversation();
  for (const order of ["cancel first", "response first"]) {
    const abort = new AbortController();
    const call = talk.client.fetch(TARGET, { signal: abort.signal });
    const { id } = await talk.connection.next();
    if (order === "response first") {
      talk.connection.respond(id, "response");
      assertEquals(await (await call).text(), "response");
      abort.abort();
    } else {
      abort.abort();
      talk.connection.respond(id, "response");
      await rejectionOf(call);
      assertEquals((await talk.connection.next()).type, "cancel");
    }
  }
  const last = talk.client.fetch(TARGET);
  talk.connection.respond((await talk.connection.next()).id, "last");
  assertEquals(await (await last).text(), "last");
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
  async "a body in one frame that was read"({ talk, call, id }): Promise<void> {
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
  async "a failure during the body"({ talk, call, id }): Promise<void> {
    talk.connection.stream(id);
    talk.connection.send({ type: "error", id, code: "connection_timeout", message: "late" });
    await rejectionOf((await call).text());
  },
  "abort() before the head": ({ call, abort }) => {
    abort.abort();
    return rejectionOf(call);
  },
  async "abort() during the body"({ talk, call, id, abort }): Promise<void> {
    talk.connection.stream(id);
    const { body } = await call;
    abort.abort();
    await rejectionOf(new Response(body).text());
  },
};

for (const [name, end] of Object.entries(ENDS)) {
  Deno.test(`fetch() removes its signal listener after ${name}`, async () => {
    await using talk = await startConversation();
    const abort = new AbortController();
    const call = talk.client.fetch(TARGET, { signal: abort.signal });
    const { id } = await talk.connection.next();
    assertEquals(getEventListeners(abort.signal, "abort").length, 1);
    await end({ talk, call, id, abort });
    assertEquals(getEventListeners(abort.signal, "abort").length, 0);
  });
}
