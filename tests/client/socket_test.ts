import { assertEquals, assertThrows } from "@std/assert";
import { createClient } from "../../src/client/mod.ts";
import { toSocketUrl } from "../../src/client/socket.ts";
import { startFakeServer } from "../helpers/fake_server.ts";
import { createFakeTimers } from "./fake_timers.ts";
import { failureOf } from "./rejections.ts";
import { becomes } from "./states.ts";

const URL_A = "http://upstream.example/a";

Deno.test("openSocket() offers the token as a second subprotocol", async () => {
  await using server = startFakeServer();
  await using client = createClient(server.url, { token: "é~/?" });
  const call = client.fetch(URL_A);
  const connection = await server.accept();
  assertEquals(connection.offered, ["wsfetch.v1", "bearer.w6l-Lz8"]);
  connection.respond((await connection.next()).id, "");
  await call;
});

Deno.test("openSocket() calls the token function for each connection", async () => {
  await using server = startFakeServer();
  const timers = createFakeTimers();
  let asked = 0;
  const token = (): Promise<string> => Promise.resolve(`t${++asked}`);
  await using client = createClient(server.url, { token }, { timers, random: () => 0 });
  for (const offered of ["bearer.dDE", "bearer.dDI"]) {
    const call = client.fetch(URL_A);
    const connection = await server.accept();
    assertEquals(connection.offered[1], offered);
    connection.respond((await connection.next()).id, "");
    await call;
    const idle = becomes(client, "idle");
    connection.close(1001);
    await idle;
  }
});

Deno.test("a failed token function rejects the call with its error as the cause", async () => {
  await using server = startFakeServer();
  const token = (): Promise<string> => Promise.reject(new Error("no token"));
  const options = { token, backoff: { attempts: 1 } };
  await using client = createClient(server.url, options);
  const error = await failureOf(client.fetch(URL_A));
  assertEquals([error.code, error.sent, error.retryable], ["connection_terminated", "no", true]);
  assertEquals(String(error.cause), "Error: no token");
});

const SOCKET_URLS: readonly { input: string | URL; expected: string }[] = [
  { input: "wss://proxy.example/ws", expected: "wss://proxy.example/ws" },
  { input: "https://proxy.example/ws", expected: "wss://proxy.example/ws" },
  { input: new URL("http://proxy.example:8000/ws"), expected: "ws://proxy.example:8000/ws" },
];
for (const { input, expected } of SOCKET_URLS) {
  Deno.test(`toSocketUrl() returns ${expected} for ${input}`, () => {
    assertEquals(toSocketUrl(input), expected);
  });
}

for (const input of ["ftp://proxy.example/ws", "/ws"]) {
  Deno.test(`toSocketUrl() refuses ${input} outside a page`, () => {
    assertThrows(() => toSocketUrl(input), TypeError);
  });
}
