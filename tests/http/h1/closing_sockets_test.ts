import { assertEquals } from "@std/assert";
import { ClosingSockets } from "../../../src/http/h1/closing_sockets.ts";

Deno.test("isFull() is true for a network to which 64 sockets are being closed, until one is closed", () => {
  const closing = new ClosingSockets();
  for (let count = 0; count < 64; count++) {
    assertEquals(closing.isFull("192.0.2.1"), false);
    closing.add("192.0.2.1");
  }
  assertEquals([closing.isFull("192.0.2.1"), closing.isFull("192.0.2.2")], [true, false]);
  closing.delete("192.0.2.1");
  assertEquals([closing.isFull("192.0.2.1"), closing.count], [false, 63]);
});

Deno.test("the addresses of half an IPv6 address are one network", () => {
  const closing = new ClosingSockets();
  for (let count = 0; count < 64; count++) closing.add(`2001:db8:0:1::${count.toString(16)}`);
  assertEquals(closing.isFull("2001:db8:0:1:ffff::1"), true);
  assertEquals(closing.isFull("2001:db8:0:2::1"), false);
});
