import { assertEquals } from "@std/assert";
import { connectV1 } from "../helpers/client.ts";
import { connectRaw } from "../helpers/raw_client.ts";
import { startServer } from "../helpers/server.ts";

Deno.test("start() reports the drain once, and fulfils at once without connections", async () => {
  await using server = startServer({ graceMs: 7 });
  const { drain, log, clock } = server;
  assertEquals(drain.isDraining(), false);
  const ended = drain.start();
  assertEquals(drain.isDraining(), true);
  await ended;
  await drain.start();
  assertEquals(log.lines.map(({ event, connections, graceMs }) => [event, connections, graceMs]), [
    ["draining", 0, 7],
  ]);
  assertEquals(clock.delays, [], "no timer is left");
});

Deno.test("start() fulfils when every connection has closed", async () => {
  await using server = startServer({ graceMs: 60_000 });
  await using first = await connectV1(server.url);
  await using second = await connectV1(server.url);
  const ended = server.drain.start();
  assertEquals((await first.next()).graceMs, 60_000);
  assertEquals((await first.closed).code, 1001);
  assertEquals((await second.closed).code, 1001);
  await ended;
  assertEquals(server.clock.delays, []);
});

Deno.test("start() fulfils two seconds after the grace if a client never closes", async () => {
  await using server = startServer({ graceMs: 5000 });
  const { clock, drain, log } = server;
  using _client = await connectRaw(server.port, { "sec-websocket-protocol": "wsfetch.v1" });
  await log.logged("connected");
  let hasEnded = false;
  const ended = drain.start().then(() => hasEnded = true);
  clock.advance(6999);
  await Promise.resolve();
  assertEquals(hasEnded, false);
  clock.advance(1);
  await ended;
});
