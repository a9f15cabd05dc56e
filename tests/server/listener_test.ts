import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { listen, type ListenAddress, ListenError, probe } from "../../src/server/listener.ts";
import { createFakeClock } from "../helpers/clock.ts";

const hostname = "127.0.0.1";
const handler = (): Response => new Response("here");
const telemetry = { wantsAllowedHops: false, emit: (): void => {} };

Deno.test("listen() reports its address, and listens until it is closed", async () => {
  const addresses: ListenAddress[] = [];
  const onListen = (address: ListenAddress): void => void addresses.push(address);
  const listener = listen({ hostname, port: 0 }, { handler, telemetry, onListen });
  const [{ url, port } = { url: "", port: 0 }, ...others] = addresses;
  assertEquals([url, others], [`http://127.0.0.1:${port}/`, []]);
  assertEquals(await (await fetch(url)).text(), "here");
  assertThrows(() => probe({ hostname, port }), ListenError);
  await listener.close();
  assertEquals(probe({ hostname, port }), port);
});

Deno.test("listen() and probe() throw an error that tells where they cannot listen, and why", () => {
  using other = Deno.listen({ hostname, port: 0 });
  const { port } = other.addr;
  const attempts = [
    () => listen({ hostname, port }, { handler, telemetry, onListen: () => {} }),
    () => probe({ hostname, port }),
  ];
  for (const attempt of attempts) {
    const { message, cause } = assertThrows(attempt, ListenError);
    assert(message.startsWith(`Cannot listen on http://127.0.0.1:${port}/: `), message);
    assertInstanceOf(cause, Deno.errors.AddrInUse);
  }
});

Deno.test("probe() returns a free port for 0", () => {
  assert(probe({ hostname: "::1", port: 0 }) > 0);
});

Deno.test("close() waits a second at most for connections that stay open", async () => {
  const clock = createFakeClock();
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let url = "";
  const listener = listen({ hostname, port: 0 }, {
    async handler(): Promise<Response> {
      arrived.resolve();
      await released.promise;
      return new Response("late");
    },
    telemetry,
    onListen: (address) => url = address.url,
    clock,
  });
  const responding = fetch(url);
  await arrived.promise;
  let isClosed = false;
  const closing = listener.close().then(() => isClosed = true);
  clock.advance(999);
  await Promise.resolve();
  assertEquals(isClosed, false);
  clock.advance(1);
  await closing;
  released.resolve();
  assertEquals(await (await responding).text(), "late");
});

Deno.test("close() leaves no timer when all connections have ended", async () => {
  const clock = createFakeClock();
  const deps = { handler, telemetry, onListen: () => {}, clock };
  await listen({ hostname, port: 0 }, deps).close();
  assertEquals(clock.delays, []);
});
