import { assertEquals, assertStringIncludes } from "@std/assert";
import { createClient } from "../../src/client/mod.ts";
import { startFakeServer } from "../helpers/fake_server.ts";
import { createFakeTimers } from "./fake_timers.ts";
import { failureOf } from "./rejections.ts";

const URL_A = "http://upstream.example/a";

Deno.test("a silent connection is dropped after the ping interval and the pong timeout", async () => {
  await using server = startFakeServer();
  const timers = createFakeTimers();
  const options = { pingIntervalMs: 20_000, pongTimeoutMs: 10_000 };
  await using client = createClient(server.url, options, { timers });
  const call = failureOf(client.fetch(URL_A));
  const connection = await server.accept();
  await connection.next();
  timers.advance(20_000);
  assertEquals((await connection.next()).type, "ping");
  timers.advance(10_000);
  const error = await call;
  assertEquals([error.code, error.sent], ["connection_terminated", "maybe"]);
  assertStringIncludes(error.message, "does not respond");
});

Deno.test("any message after a ping keeps the connection, and no ping is sent when nothing is in flight", async () => {
  await using server = startFakeServer();
  const timers = createFakeTimers();
  await using client = createClient(server.url, {}, { timers });
  const call = client.fetch(URL_A);
  const connection = await server.accept();
  const { id } = await connection.next();
  timers.advance(20_000);
  assertEquals((await connection.next()).type, "ping");
  connection.send({ type: "pong" });
  connection.stream(id);
  const response = await call; // the pong has arrived before
  timers.advance(20_000);
  assertEquals((await connection.next()).type, "ping");
  connection.sendChunk(id, "x", true); // any message counts as a response to the ping
  assertEquals(await response.text(), "x");
  assertEquals(timers.delays(), []);
});
