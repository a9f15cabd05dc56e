import { assertEquals } from "@std/assert";
import { TcpConnection } from "../../../src/http/h1/connection.ts";
import { ConnectionShare, type ConnectionUse } from "../../../src/http/h1/share.ts";
import { createWire } from "./wire.ts";

/** Adds connections that an identity uses. */
function use(share: ConnectionShare, identity: string, count: number): ConnectionUse | undefined {
  const used = share.useOf(identity);
  for (let left = count; left > 0; left--) {
    share.add(new TcpConnection(createWire()));
    if (used !== undefined) used.connections++;
  }
  return used;
}

Deno.test("isLeftFor() leaves a quarter of the connections to other identities", () => {
  const share = new ConnectionShare(8);
  for (let count = 0; count < 6; count++) {
    assertEquals(share.isLeftFor("a"), true);
    use(share, "a", 1);
  }
  const left = [share.isLeftFor("a"), share.isLeftFor("b"), share.isLeftFor(undefined)];
  assertEquals(left, [false, true, true]);
  assertEquals(share.size, 6);
});

Deno.test("isLeftFor() counts connections that are used, and those being opened when one more would be", () => {
  const share = new ConnectionShare(4);
  const used = use(share, "a", 3);
  if (used === undefined) throw new Error("Nothing is counted");
  assertEquals(share.isLeftFor("a"), false);
  used.connections--; // one is idle
  assertEquals(share.isLeftFor("a"), true);
  used.dials++;
  assertEquals([share.isLeftFor("a"), share.isLeftFor("a", 1), share.isLeftFor("b", 1)], [
    true,
    false,
    true,
  ]);
});

Deno.test("useOf() forgets identities that use nothing when there are many, and no others", () => {
  const share = new ConnectionShare(4);
  const used = use(share, "a", 3);
  for (let count = 0; count < 1000; count++) share.useOf(`other ${count}`);
  assertEquals(share.useOf("a"), used);
});

Deno.test("nothing is counted where there is no limit", () => {
  const share = new ConnectionShare(Infinity);
  assertEquals([share.useOf("a"), share.isLeftFor("a", 1e6)], [undefined, true]);
});
