import { assertEquals } from "@std/assert";
import { createClient } from "../../src/client/mod.ts";
import { toNextId } from "../../src/client/service_connection.ts";
import { startFakeServer } from "../helpers/fake_server.ts";
import { createFakeTimers } from "./fake_timers.ts";
import { failureOf } from "./rejections.ts";

const URL_A = "http://upstream.example/a";
const URL_B = "http://upstream.example/b";

Deno.test("after goaway, new exchanges use a new connection and the others finish on the old one", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url);
  const old = client.fetch(URL_A);
  const first = await server.accept();
  const { id } = await first.next();
  first.send({ type: "goaway", graceMs: 1000 });
  const second = await server.accept();
  const fresh = client.fetch(URL_B);
  const { id: freshId, url } = await second.next();
  assertEquals(url, URL_B);
  second.respond(freshId, "b");
  assertEquals(await (await fresh).text(), "b");
  first.respond(id, "a");
  assertEquals(await (await old).text(), "a");
  assertEquals((await first.closed).code, 1000);
  assertEquals(client.state.type, "open");
});

Deno.test("after goaway, an idle connection is closed and a new one opened", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url);
  const warm = client.fetch(URL_A);
  const first = await server.accept();
  first.respond((await first.next()).id, "");
  await warm;
  first.send({ type: "goaway", graceMs: 1000 });
  const second = await server.accept();
  assertEquals((await first.closed).code, 1000);
  const call = client.fetch(URL_B);
  second.respond((await second.next()).id, "b");
  assertEquals(await (await call).text(), "b");
});

Deno.test("a connection without hello is dropped after connectTimeoutMs", async () => {
  await using server = startFakeServer({ hello: false });
  const timers = createFakeTimers();
  const options = { connectTimeoutMs: 5_000, backoff: { attempts: 1 } };
  await using client = createClient(server.url, options, { timers });
  const call = failureOf(client.fetch(URL_A));
  const connection = await server.accept();
  await connection.next();
  timers.advance(5_000);
  assertEquals((await call).sent, "maybe");
});

Deno.test("large requests and streams wait for hello, small requests do not", async () => {
  await using server = startFakeServer({ hello: false });
  await using client = createClient(server.url);
  const large = client.fetch(URL_A, { method: "POST", body: "l".repeat(10_000) });
  const stream = client.fetch(URL_A, { method: "POST", body: new Blob(["s"]).stream() });
  const small = client.fetch(URL_B);
  const connection = await server.accept();
  const first = await connection.next();
  assertEquals([first.url, first.id], [URL_B, 1]);
  connection.greet();
  const rest = [await connection.next(), await connection.next(), await connection.next()];
  assertEquals(rest.filter(({ type }) => type === "request").length, 2);
  for (const id of [1, 2, 3]) connection.respond(id, "");
  await Promise.all([large, stream, small]);
});

Deno.test("exchanges beyond maxInFlight wait until others have ended", async () => {
  await using server = startFakeServer({ hello: { maxInFlight: 2 } });
  await using client = createClient(server.url);
  const warm = client.fetch(URL_A);
  const connection = await server.accept();
  connection.respond((await connection.next()).id, "");
  await warm;
  const calls = ["1", "2", "3"].map((path) => client.fetch(`http://upstream.example/${path}`));
  const [first, second] = [await connection.next(), await connection.next()];
  connection.respond(first.id, "");
  const third = await connection.next();
  assertEquals(third.url, "http://upstream.example/3");
  connection.respond(second.id, "");
  connection.respond(third.id, "");
  await Promise.all(calls);
});

Deno.test("begin() gives ids that count up and start again at 1", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url, {}, { firstId: 4294967295 });
  const calls = [client.fetch(URL_A)];
  const connection = await server.accept();
  assertEquals((await connection.next()).id, 4294967295);
  calls.push(client.fetch(URL_A), client.fetch(URL_A));
  assertEquals([(await connection.next()).id, (await connection.next()).id], [1, 2]);
  for (const id of [1, 2, 4294967295]) connection.respond(id, "");
  await Promise.all(calls);
});

Deno.test("toNextId() counts up, starts again at 1 and skips ids in use", () => {
  const inUse = { 1: true, 2: true };
  assertEquals(toNextId(0, {}), 1);
  assertEquals(toNextId(4294967294, inUse), 4294967295);
  assertEquals(toNextId(4294967295, inUse), 3);
});
