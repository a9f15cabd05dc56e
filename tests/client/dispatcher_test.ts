import { assertEquals } from "@std/assert";
import { createClient } from "../../src/client/mod.ts";
import { startFakeServer } from "../helpers/fake_server.ts";
import { failureOf } from "./rejections.ts";
import { becomes } from "./states.ts";

const URL_A = "http://upstream.example/a";
const URL_B = "http://upstream.example/b";

Deno.test("client.fetch() connects on first use and reuses the connection", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url);
  assertEquals([client.state.type, server.handshakes()], ["idle", 0]);
  const first = client.fetch(URL_A);
  const connection = await server.accept();
  assertEquals((await connection.next()).id, 1);
  connection.respond(1, "a");
  assertEquals(await (await first).text(), "a");
  const second = client.fetch(URL_B);
  assertEquals((await connection.next()).id, 2);
  connection.respond(2, "b");
  assertEquals(await (await second).text(), "b");
  assertEquals([client.state.type, server.handshakes()], ["open", 1]);
});

Deno.test("an exchange that was not sent begins on the next connection", async () => {
  await using server = startFakeServer({ refuse: (handshake) => handshake < 2 ? 503 : undefined });
  await using client = createClient(server.url, {}, { random: () => 0 });
  const call = client.fetch(URL_A, { method: "POST", body: "once" });
  const connection = await server.accept();
  const { id, text } = await connection.next();
  assertEquals([text, server.handshakes()], ["once", 3]);
  connection.respond(id, "done");
  assertEquals(await (await call).text(), "done");
});

Deno.test("close() rejects calls in flight and later calls, and closes the connection", async () => {
  await using server = startFakeServer();
  const client = createClient(server.url);
  const waiting = failureOf(client.fetch(URL_A));
  const streaming = client.fetch(URL_B);
  const connection = await server.accept();
  await connection.next();
  connection.stream((await connection.next()).id);
  const body = failureOf((await streaming).text());
  await client.close();
  await client.close();
  assertEquals([(await waiting).sent, (await body).sent], ["maybe", "yes"]);
  assertEquals((await connection.closed).code, 1000);
  const later = await failureOf(client.fetch(URL_A));
  assertEquals([later.message, later.sent, later.retryable], ["The client is closed", "no", false]);
  assertEquals([client.state.type, server.handshakes()], ["closed", 1]);
});

Deno.test("close() fulfils for a client that was never used or is connecting", async () => {
  await using server = startFakeServer();
  await createClient(server.url).close();
  const client = createClient(server.url);
  const call = failureOf(client.fetch(URL_A));
  while (client.state.type !== "connecting") await becomes(client, "connecting");
  await client.close();
  assertEquals((await call).sent, "no");
});
