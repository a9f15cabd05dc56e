import { assertEquals } from "@std/assert";
import { TcpConnection } from "../../../src/http/h1/connection.ts";
import { ConnectionShare } from "../../../src/http/h1/share.ts";
import { createWire } from "./wire.ts";

function connectionOf(identity: string | undefined): TcpConnection {
  const connection = new TcpConnection(createWire());
  connection.identity = identity;
  return connection;
}

Deno.test("isLeftFor() leaves a quarter of the connections to other identities", () => {
  const share = new ConnectionShare(8);
  for (let count = 0; count < 6; count++) {
    assertEquals(share.isLeftFor("a"), true);
    share.add(connectionOf("a"));
  }
  assertEquals([share.isLeftFor("a"), share.isLeftFor("b"), share.isLeftFor(undefined)], [
    false,
    true,
    true,
  ]);
  assertEquals(share.size, 6);
});

Deno.test("isLeftFor() counts connections that are in use or being opened, and no others", () => {
  const share = new ConnectionShare(4);
  const connections = ["a", "a", "a"].map(connectionOf);
  for (const connection of connections) share.add(connection);
  assertEquals(share.isLeftFor("a"), false);
  connections[0]?.beginIdle();
  assertEquals(share.isLeftFor("a"), true);
  connections[0]?.endIdle();
  if (connections[1] !== undefined) share.delete(connections[1]);
  assertEquals([share.isLeftFor("a"), share.size], [true, 2]);
});

Deno.test("isLeftFor() is always true where there is no limit, and for one identity alone where there are few", () => {
  const share = new ConnectionShare(Infinity);
  for (let count = 0; count < 1000; count++) share.add(connectionOf("a"));
  assertEquals(share.isLeftFor("a"), true);
  const one = new ConnectionShare(1);
  assertEquals(one.isLeftFor("a"), true);
  one.add(connectionOf("a"));
  assertEquals(one.isLeftFor("a"), false);
});
