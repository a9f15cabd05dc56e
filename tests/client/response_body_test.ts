import { assertEquals } from "@std/assert";
import { startConversation } from "./conversation.ts";
import { failureOf } from "./rejections.ts";

const TARGET = "http://upstream.example/";

Deno.test("a body grants credit as its reader takes bytes, in batches of half a window", async () => {
  await using talk = await startConversation({ options: { windowBytes: 8 } });
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

Deno.test("a body may fill the window, and grants as much once it is read", async () => {
  await using talk = await startConversation({ options: { windowBytes: 8 } });
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
  assertEquals(between, []); // no bytes are granted twice
});

Deno.test("a body can be read into the reader's buffer", async () => {
  await using talk = await startConversation();
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

Deno.test("push() fails an exchange whose server exceeds the window, and cancels it", async () => {
  await using talk = await startConversation({ options: { windowBytes: 4 } });
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.stream(id);
  talk.connection.sendChunk(id, "abcde");
  const error = await failureOf((await call).text());
  assertEquals(error.code, "flow_control_error");
  assertEquals(await talk.connection.next(), { type: "cancel", id });
});

Deno.test("two bodies whose chunks alternate are not mixed", async () => {
  await using talk = await startConversation();
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

Deno.test("a body that is cut off fails after its chunks were read", async () => {
  await using talk = await startConversation();
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

Deno.test("cancel() of a body sends cancel", async () => {
  await using talk = await startConversation();
  const call = talk.client.fetch(TARGET);
  const { id } = await talk.connection.next();
  talk.connection.stream(id);
  await (await call).body?.cancel();
  assertEquals(await talk.connection.next(), { type: "cancel", id });
});
