/**
 * Hosts that send what no request has asked for (RFC 9112 §9.2): none of their connections is used again for a while.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { createFakeClock, withRealTurns } from "../../helpers/clock.ts";
import { createTestClient, ok, settle, startServer } from "./test_client.ts";
import { createWire, type Wire } from "./wire.ts";

const DISTRUST_MS = 600_000;

/** Makes two requests and returns the connections that they went over. */
async function askTwice(
  client: ReturnType<typeof createTestClient>,
  url: string,
): Promise<string[]> {
  const texts: string[] = [];
  for (let round = 0; round < 2; round++) {
    texts.push((await client.fetch(url)).text);
    await settle();
  }
  return texts;
}

const UNASKED = [
  { name: "a response beside another", together: ok("unasked"), later: "" },
  { name: "a response on an idle connection", together: "", later: ok("unasked") },
  { name: "anything on an idle connection", together: "", later: "x" },
];

for (const { name, together, later } of UNASKED) {
  Deno.test(`request() uses no connection again for ten minutes after ${name}`, async () => {
    let closed: Promise<void> | undefined;
    await using server = startServer(async (connection, { connection: number }) => {
      if (number > 1) return ok(String(number));
      await connection.write(ok("1") + together);
      if (later !== "") await connection.write(later);
      closed = connection.peerClosed();
      await closed;
      return false;
    });
    const clock = createFakeClock();
    using client = createTestClient({ clock: withRealTurns(clock) });
    assertEquals((await client.fetch(server.origin)).text, "1");
    await closed;
    assertEquals(await askTwice(client, server.origin), ["2", "3"]);
    clock.advance(DISTRUST_MS - 1);
    assertEquals(await askTwice(client, server.origin), ["4", "5"]);
    clock.advance(1);
    assertEquals(await askTwice(client, server.origin), ["6", "6"]);
  });
}

const HARMLESS = [
  { name: "its end", input: "" },
  {
    name: "a response that says so",
    input: "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n",
  },
];

for (const { name, input } of HARMLESS) {
  Deno.test(`request() uses connections again where one was closed for being idle, with ${name}`, async () => {
    const idle = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    await using server = startServer(async (connection, { connection: number }) => {
      if (number > 1) return ok(String(number));
      await connection.write(ok("1"));
      await idle.promise;
      if (input === "") await connection.closeWrite();
      else await connection.write(input);
      await connection.peerClosed();
      closed.resolve();
      return false;
    });
    using client = createTestClient();
    assertEquals((await client.fetch(server.origin)).text, "1");
    idle.resolve();
    await closed.promise;
    assertEquals(await askTwice(client, server.origin), ["2", "2"]);
  });
}

Deno.test("an abort is heard while a connection is opened in place of one that has just closed", async () => {
  const clock = createFakeClock();
  const wires = [createWire(ok("1"))];
  const opening = Promise.withResolvers<void>();
  using client = createTestClient({
    clock,
    connect(): Promise<Wire> {
      const wire = wires.pop();
      if (wire !== undefined) return Promise.resolve(wire);
      opening.resolve();
      return new Promise(() => {});
    },
  });
  const [wire] = wires;
  const controller = new AbortController();
  assertEquals((await client.fetch("http://a.invalid/")).text, "1");
  const waiting = client.fetch("http://a.invalid/", { signal: controller.signal });
  await new Promise((resolve) => setTimeout(resolve)); // the request waits for the connection to be offered
  wire?.push(null);
  await opening.promise;
  while (clock.turn() > 0);
  const reason = new Error("enough");
  controller.abort(reason);
  const error = await Promise.race([assertRejects(() => waiting), settle()]);
  assertEquals(error, reason);
});
