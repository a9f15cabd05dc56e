/**
 * Real sockets: that their TCP connections end, and when. If a version of Deno has other private members, these tests
 * fail.
 */
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { endTcp } from "../../src/server/websocket_internals.ts";
import { readLines } from "../bench/load/lines.ts";
import { readResidentBytes } from "../bench/proc.ts";
import { connectRaw, rawFrame } from "../helpers/raw_client.ts";

const FIRST_FRAGMENT = 0x02;
const NEXT_FRAGMENT = 0x00;
const MIB = 1_048_576;

interface OpenServer extends AsyncDisposable {
  readonly port: number;
  /** The WebSocket of the first client. */
  readonly opened: Promise<WebSocket>;
}

function startSockets(): OpenServer {
  const { promise, resolve } = Promise.withResolvers<WebSocket>();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.addEventListener("open", () => resolve(socket));
      return response;
    },
  );
  return {
    port: server.addr.port,
    opened: promise,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Returns the states, as the kernel has them, of the server's ends of all connections to a port. */
async function readTcp(port: number): Promise<readonly string[]> {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = (await Deno.readTextFile("/proc/net/tcp")).split("\n");
  return lines.map((line) => line.trim().split(/\s+/))
    .filter(([, from, , state]) => from === local && state !== "0A")
    .map(([, , , state = ""]) => state);
}

Deno.test("endTcp() ends the connection of a client that is silent", async () => {
  await using server = startSockets();
  using client = await connectRaw(server.port);
  const ended = Promise.withResolvers<void>();
  assert(endTcp(await server.opened, ended.resolve));
  await client.readToEnd();
  await ended.promise;
});

Deno.test({
  name: "endTcp() ends a message without end, and frees what was read of it",
  ignore: Deno.build.os !== "linux",
  async fn(): Promise<void> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-all",
        "--no-check",
        new URL("ended_socket.ts", import.meta.url).pathname,
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = readLines(child.stdout);
    const port = Number((await lines.next()).value);
    using client = await connectRaw(port);
    const received = client.readToEnd();
    const before = readResidentBytes([child.pid]);
    await client.write(rawFrame(FIRST_FRAGMENT, "{"));
    const next = rawFrame(NEXT_FRAGMENT, new Uint8Array(MIB));
    for (let count = 0; count < 128; count++) await client.write(next);
    assert(readResidentBytes([child.pid]) > before + 64 * MIB, "nothing was read");
    const flooding = assertRejects(async () => {
      for (;;) await client.write(next);
    });
    await child.stdin.getWriter().write(new Uint8Array(1));
    await Promise.all([received, flooding]);
    assertEquals((await lines.next()).value, '"ended"');
    assertLess(readResidentBytes([child.pid]), before + 64 * MIB);
    assertEquals(await readTcp(port), []);
    child.kill("SIGKILL");
    await child.status;
    await lines.return(undefined);
  },
});

Deno.test("endTcp() tells of the end once a client that took nothing has taken what was sent", async () => {
  await using server = startSockets();
  using client = await connectRaw(server.port);
  const webSocket = await server.opened;
  for (let count = 0; count < 16; count++) webSocket.send(new Uint8Array(MIB));
  const closed = new Promise((resolve) => webSocket.onclose = resolve);
  const ended = Promise.withResolvers<void>();
  let hasEnded = false;
  assert(endTcp(webSocket, () => {
    hasEnded = true;
    ended.resolve();
  }));
  await closed;
  assert(!hasEnded, "told too early");
  assert((await client.readToEnd()).length > 16 * MIB);
  await ended.promise;
});

Deno.test("endTcp() tells of the end once a client that took nothing has gone", async () => {
  await using server = startSockets();
  const client = await connectRaw(server.port);
  const webSocket = await server.opened;
  for (let count = 0; count < 16; count++) webSocket.send(new Uint8Array(MIB));
  const closed = new Promise((resolve) => webSocket.onclose = resolve);
  const ended = Promise.withResolvers<void>();
  assert(endTcp(webSocket, ended.resolve));
  await closed;
  client[Symbol.dispose]();
  await ended.promise;
});

Deno.test("endTcp() does nothing with a WebSocket that has not opened", async () => {
  const webSocket = new WebSocket("ws://127.0.0.1:1");
  const closed = new Promise((resolve) => webSocket.onclose = resolve);
  assertEquals(endTcp(webSocket, () => {}), false);
  await closed;
});
