/**
 * Many hosts that are asked once each: how many connections stay open, and for how long.
 */
import { createServer } from "node:tls";
import { assert, assertEquals } from "@std/assert";
import { createFakeClock, withRealTurns } from "../../helpers/clock.ts";
import { createTestClient, ok, settle } from "./test_client.ts";

const folder = new URL("../../helpers/certificates/", import.meta.url);
// Signed by itself, for *.hosts.example: thus it is its own authority.
const cert = Deno.readTextFileSync(new URL("hosts.pem", folder));
const key = Deno.readTextFileSync(new URL("localhost.key", folder));

const HOSTS = 300;
// What a client keeps by default, and for how long.
const MAX_IDLE_TLS = 256;
const IDLE_TLS_MS = 60_000;
// TLS connections that are opened to one host at a time.
const MAX_HANDSHAKES = 64;

interface TlsServer extends AsyncDisposable {
  readonly port: number;
  /** Connections that are open now. */
  readonly open: () => number;
  /** Connections that were accepted. */
  readonly accepted: () => number;
  /** Fulfils when this number of connections is open. */
  until(count: number): Promise<void>;
}

/** Starts a server that responds to every request of a connection. */
async function startTlsServer(): Promise<TlsServer> {
  const watchers: { readonly count: number; readonly resolve: () => void }[] = [];
  let open = 0;
  let accepted = 0;

  function change(by: number): void {
    open += by;
    for (const { count, resolve } of watchers) if (count === open) resolve();
  }

  const server = createServer({ cert, key, noDelay: true }, (socket) => {
    accepted++;
    change(1);
    socket.on("data", () => socket.write(ok("ok")));
    socket.on("end", () => socket.end());
    socket.on("close", () => change(-1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    open: () => open,
    accepted: () => accepted,
    until(count): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      watchers.push({ count, resolve });
      if (open === count) resolve();
      return promise;
    },
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

for (const isAtOnce of [false, true]) {
  const how = isAtOnce ? "at once" : "one after another";
  Deno.test(`${HOSTS} hosts asked once each, ${how}: at most ${MAX_IDLE_TLS} connections stay open, and none after their time`, async () => {
    await using server = await startTlsServer();
    const clock = createFakeClock();
    using client = createTestClient({
      clock: withRealTurns(clock),
      caCerts: [cert],
      lookup: () => ["127.0.0.1"],
    });

    async function ask(number: number): Promise<void> {
      const { text } = await client.fetch(`https://h${number}.hosts.example:${server.port}/`);
      assertEquals(text, "ok");
    }

    const numbers = Array.from({ length: HOSTS }, (_, i) => i);
    if (isAtOnce) await Promise.all(numbers.map(ask));
    else for (const number of numbers) await ask(number);
    await server.until(MAX_IDLE_TLS);
    assertEquals(server.accepted(), HOSTS);

    // The host that was asked last is asked again on its connection, which is then younger than the others.
    clock.advance(IDLE_TLS_MS);
    assertEquals(server.open(), MAX_IDLE_TLS);
    await ask(HOSTS - 1);
    await settle();
    assertEquals(server.accepted(), HOSTS);
    clock.advance(IDLE_TLS_MS);
    await server.until(1);
    clock.advance(IDLE_TLS_MS);
    await server.until(0);
    assert(clock.delays.length === 0, "no timer is left");
  });
}

Deno.test(`${MAX_HANDSHAKES} requests to a host without connections all connect at once, and no more`, async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  // The clock stands still, so that no attempt to connect ends.
  const clock = withRealTurns(createFakeClock());
  using client = createTestClient({ clock, lookup: () => ["127.0.0.1"] });
  const { port } = listener.addr;
  const controller = new AbortController();
  const { signal } = controller;
  const asking = Array.from(
    { length: MAX_HANDSHAKES + 6 },
    () => client.fetch(`https://localhost:${port}/`, { signal }),
  );
  const settled = Promise.allSettled(asking);
  const accepted: Deno.Conn[] = [];
  while (accepted.length < MAX_HANDSHAKES) accepted.push(await listener.accept());
  // The next connection that is accepted is one that is made now.
  using own = await Deno.connect({ port });
  using next = await listener.accept();
  assertEquals(next.remoteAddr, own.localAddr);
  controller.abort();
  for (const connection of accepted) connection.close();
  assert((await settled).every(({ status }) => status === "rejected"));
});
