import { assertEquals, assertStringIncludes } from "@std/assert";
import { getEventListeners } from "node:events";
import { createClient, type ServerSentEvent } from "../../src/client/mod.ts";
import { startFakeServer } from "../helpers/fake_server.ts";
import { type Conversation, startConversation } from "./conversation.ts";
import { createFakeTimers, type FakeTimers } from "./fake_timers.ts";
import { failureOf, rejectionOf } from "./rejections.ts";

const TARGET = "http://upstream.example/events";
const EVENT_STREAM = { headers: [["content-type", "text/event-stream; charset=utf-8"]] };

interface TimedConversation extends Conversation {
  readonly timers: FakeTimers;
}

async function converse(): Promise<TimedConversation> {
  const timers = createFakeTimers();
  return { ...await startConversation({ deps: { timers, random: () => 0 } }), timers };
}

function headerOf({ headers }: { headers: [string, string][] }, name: string): string | undefined {
  return headers.find((pair) => pair[0] === name)?.[1];
}

Deno.test("events() requests an event stream and returns its events", async () => {
  await using talk = await converse();
  const events = talk.client.events(TARGET);
  const first = events.next();
  const request = await talk.connection.next();
  const { id, stream, windowBytes } = request;
  assertEquals([stream, windowBytes], ["events", undefined]);
  assertEquals(headerOf(request, "accept"), "text/event-stream");
  assertEquals(headerOf(request, "last-event-id"), undefined);
  talk.connection.stream(id, EVENT_STREAM);
  talk.connection.send({ type: "event", id, event: "message", data: "a" });
  talk.connection.send({ type: "event", id, event: "named", data: "b\nc", lastEventId: "7" });
  talk.connection.send({ type: "event", id, event: "message", data: "" });
  const expected: ServerSentEvent[] = [
    { type: "message", data: "a", lastEventId: "" },
    { type: "named", data: "b\nc", lastEventId: "7" },
    { type: "message", data: "", lastEventId: "7" },
  ];
  assertEquals((await first).value, expected[0]);
  assertEquals((await events.next()).value, expected[1]);
  assertEquals((await events.next()).value, expected[2]);
  await events.return?.();
  assertEquals(await talk.connection.next(), { type: "cancel", id });
  assertEquals(await events.next(), { done: true, value: undefined });
});

for (const how of ["ends", "fails"]) {
  Deno.test(`events() reopens a stream that ${how} with Last-Event-ID after 3 s`, async () => {
    await using talk = await converse();
    const events = talk.client.events(TARGET);
    const first = events.next();
    const { id } = await talk.connection.next();
    talk.connection.stream(id, EVENT_STREAM);
    talk.connection.send({ type: "event", id, event: "message", data: "a", lastEventId: "é0" });
    talk.connection.send({ type: "event", id, event: "message", data: "b", lastEventId: "é1" });
    await first;
    const slept = talk.timers.until(3000);
    if (how === "ends") talk.connection.send({ type: "end", id });
    else {
      const code = "http_response_incomplete";
      talk.connection.send({ type: "error", id, code, message: "", retryable: true, sent: "yes" });
    }
    // After this round trip the client has received the end, before the second event is read.
    const other = talk.client.fetch(TARGET);
    talk.connection.respond((await talk.connection.next()).id, "");
    await other;
    assertEquals((await events.next()).value?.data, "b");
    const third = events.next();
    await slept;
    talk.timers.advance(3000);
    const again = await talk.connection.next();
    assertEquals(again.type, "request");
    assertEquals(headerOf(again, "last-event-id"), "\u00c3\u00a91"); // UTF-8, one character for each byte
    talk.connection.stream(again.id, EVENT_STREAM);
    talk.connection.send({ type: "event", id: again.id, event: "message", data: "c" });
    assertEquals((await third).value, { type: "message", data: "c", lastEventId: "é1" });
  });
}

Deno.test("events() waits for the delay that the server has set", async () => {
  await using talk = await converse();
  const events = talk.client.events(TARGET);
  const first = events.next();
  const { id } = await talk.connection.next();
  talk.connection.stream(id, EVENT_STREAM);
  talk.connection.send({ type: "event", id, event: "message", data: "a", retryMs: 50 });
  await first;
  const slept = talk.timers.until(50);
  const second = events.next();
  talk.connection.send({ type: "end", id });
  await slept;
  talk.timers.advance(50);
  assertEquals((await talk.connection.next()).type, "request");
  await events.return?.();
  assertEquals((await second).done, true);
});

Deno.test("events() reopens its stream when the connection to the proxy is lost", async () => {
  await using server = startFakeServer();
  const timers = createFakeTimers();
  await using client = createClient(server.url, {}, { timers, random: () => 0 });
  const next = client.events(TARGET).next();
  const first = await server.accept();
  await first.next();
  const slept = timers.until(3000);
  first.close(1011);
  await slept;
  timers.advance(3000);
  const second = await server.accept();
  const { id } = await second.next();
  second.stream(id, EVENT_STREAM);
  second.send({ type: "event", id, event: "message", data: "a" });
  assertEquals((await next).value, { type: "message", data: "a", lastEventId: "" });
});

Deno.test("events() of a POST ends with the stream", async () => {
  await using talk = await converse();
  const events = talk.client.events(TARGET, { method: "POST", body: "{}" });
  const first = events.next();
  const { id, text } = await talk.connection.next();
  assertEquals(text, "{}");
  talk.connection.stream(id, EVENT_STREAM);
  talk.connection.send({ type: "event", id, event: "message", data: "token" });
  talk.connection.send({ type: "end", id });
  assertEquals((await first).done, false);
  assertEquals(await events.next(), { done: true, value: undefined });
});

for (const status of [200, 204, 301, 404, 500]) {
  Deno.test(`events() rejects for a response with ${status} that is not an event stream`, async () => {
    await using talk = await converse();
    const events = talk.client.events(TARGET);
    const failure = failureOf(events.next());
    const { id } = await talk.connection.next();
    talk.connection.respond(id, "", { status });
    assertStringIncludes((await failure).message, `${status}`);
    assertEquals(await events.next(), { done: true, value: undefined });
  });
}

Deno.test("events() rejects with a failure that is not retryable", async () => {
  await using talk = await converse();
  const failure = failureOf(talk.client.events(TARGET).next());
  const { id } = await talk.connection.next();
  talk.connection.send({ type: "error", id, code: "http_request_denied", message: "no" });
  assertEquals((await failure).code, "http_request_denied");
});

for (const at of ["before the head", "between events", "between streams"]) {
  Deno.test(`events() rejects with the reason of its signal ${at}`, async () => {
    await using talk = await converse();
    const abort = new AbortController();
    const events = talk.client.events(TARGET, { signal: abort.signal });
    const first = events.next();
    const { id } = await talk.connection.next();
    let pending: Promise<unknown> = first;
    if (at !== "before the head") {
      talk.connection.stream(id, EVENT_STREAM);
      talk.connection.send({ type: "event", id, event: "message", data: "a" });
      await first;
      pending = events.next();
    }
    if (at === "between streams") {
      const slept = talk.timers.until(3000);
      talk.connection.send({ type: "end", id });
      await slept;
    }
    const reason = new Error("enough");
    const rejection = rejectionOf(pending);
    abort.abort(reason);
    assertEquals(await rejection, reason);
    if (at !== "between streams") {
      assertEquals(await talk.connection.next(), { type: "cancel", id });
    }
    assertEquals(talk.timers.delays(), []);
  });
}

for (
  const end of ["the stream has ended", "a failure that is not retryable", "return()", "abort()"]
) {
  Deno.test(`events() removes its signal listener after ${end}`, async () => {
    await using talk = await converse();
    const abort = new AbortController();
    const { signal } = abort;
    const events = talk.client.events(TARGET, { method: "POST", signal });
    const next = events.next();
    const settled = next.then(() => {}, () => {});
    const { id } = await talk.connection.next();
    assertEquals(getEventListeners(signal, "abort").length, 1);
    if (end === "the stream has ended") {
      talk.connection.stream(id, EVENT_STREAM);
      talk.connection.send({ type: "end", id });
    } else if (end === "a failure that is not retryable") {
      talk.connection.send({ type: "error", id, code: "http_request_denied", message: "no" });
    } else if (end === "return()") await events.return?.();
    else abort.abort();
    await settled;
    assertEquals(getEventListeners(signal, "abort").length, 0);
  });
}

Deno.test("return() ends a pending next()", async () => {
  await using talk = await converse();
  const events = talk.client.events(TARGET);
  const next = events.next();
  const { id } = await talk.connection.next();
  await events.return?.();
  assertEquals(await next, { done: true, value: undefined });
  assertEquals(await talk.connection.next(), { type: "cancel", id });
});

Deno.test("events() sends cancel when a loop is left", async () => {
  await using talk = await converse();
  const looped = (async () => {
    const seen: string[] = [];
    for await (const { data } of talk.client.events(TARGET)) {
      seen.push(data);
      break;
    }
    return seen;
  })();
  const { id } = await talk.connection.next();
  talk.connection.stream(id, EVENT_STREAM);
  talk.connection.send({ type: "event", id, event: "message", data: "a" });
  assertEquals(await looped, ["a"]);
  assertEquals(await talk.connection.next(), { type: "cancel", id });
});
