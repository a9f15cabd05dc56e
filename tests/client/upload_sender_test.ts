import { assert, assertEquals } from "@std/assert";
import type { Limits } from "../../src/protocol/mod.ts";
import { startConversation } from "./conversation.ts";
import { failureOf, rejectionOf } from "./rejections.ts";

const TARGET = "http://upstream.example/";

Deno.test("a stream is sent in chunks of at most 64 KiB, within the credit", async () => {
  await using talk = await startConversation({ limits: { windowBytes: 100_000 } });
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
  assertEquals(received, 100_000); // no more until the server grants credit
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
  { name: "maxFrameBytes", limits: { maxFrameBytes: 2000 } },
  { name: "maxRequestBytes", limits: { maxRequestBytes: 2000 } },
];
for (const { name, limits } of TOO_LARGE) {
  Deno.test(`a body larger than ${name} is sent in chunks`, async () => {
    await using talk = await startConversation({ limits });
    const call = talk.client.fetch(TARGET, { method: "POST", body: "x".repeat(3000) });
    const { id, bodyFollows } = await talk.connection.next();
    assertEquals(bodyFollows, true);
    assertEquals((await talk.connection.next()).payload.byteLength, 3000);
    assertEquals((await talk.connection.next()).fin, true);
    talk.connection.respond(id, "");
    await call;
  });
}

Deno.test("a response that ends during the upload stops it", async () => {
  await using talk = await startConversation({ limits: { windowBytes: 10 } });
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

Deno.test("a streamed response that begins during the upload does not stop it", async () => {
  await using talk = await startConversation({ limits: { windowBytes: 1 } });
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

Deno.test("abort() during an upload cancels its source", async () => {
  await using talk = await startConversation({ limits: { windowBytes: 10 } });
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
    name: "contains a string",
    body: new ReadableStream({ pull: (controller) => controller.enqueue("text") }),
  },
];
for (const { name, body } of BAD_SOURCES) {
  Deno.test(`a body that ${name} rejects with a TypeError and sends cancel`, async () => {
    await using talk = await startConversation();
    const failure = failureOf(talk.client.fetch(TARGET, { method: "POST", body }));
    const { id } = await talk.connection.next();
    await failure;
    assertEquals(await talk.connection.next(), { type: "cancel", id });
  });
}
