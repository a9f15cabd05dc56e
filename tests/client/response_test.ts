import { assert, assertEquals } from "@std/assert";
import type { FetchInit } from "../../src/client/mod.ts";
import { startConversation } from "./conversation.ts";

const TARGET = "http://upstream.example/";

Deno.test("toResponse() returns a Response, and so do its clones", async () => {
  await using talk = await startConversation();
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
  { name: "304 although the frame has a body", init: {}, members: { status: 304 } },
  { name: "HEAD", init: { method: "HEAD" }, members: { text: undefined } },
  { name: "a frame without a body", init: {}, members: { text: undefined } },
];
for (const { name, init, members } of NULL_BODIES) {
  Deno.test(`toResponse() has a null body for ${name}`, async () => {
    await using talk = await startConversation();
    const call = talk.client.fetch(TARGET, init);
    talk.connection.respond((await talk.connection.next()).id, "x", members);
    const response = await call;
    assertEquals([response.body, await response.text()], [null, ""]);
  });
}

for (const status of [103, 600, 999]) {
  Deno.test(`toResponse() has the status ${status}, which the constructor does not accept`, async () => {
    await using talk = await startConversation();
    const call = talk.client.fetch(TARGET);
    talk.connection.respond((await talk.connection.next()).id, "x", { status });
    const response = await call;
    assertEquals([response.status, response.ok, response.clone().status], [status, false, status]);
  });
}
