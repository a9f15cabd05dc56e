import { assertEquals, assertRejects } from "@std/assert";
import { ClosingSockets } from "../../../src/http/h1/closing_sockets.ts";
import { TlsSocket } from "../../../src/http/h1/tls_socket.ts";

const folder = new URL("../../helpers/certificates/", import.meta.url);
const [cert, key, ca] = ["localhost.pem", "localhost.key", "ca.pem"].map((name) =>
  Deno.readTextFileSync(new URL(name, folder))
) as [string, string, string];

async function open(port: number, closing = new ClosingSockets()): Promise<TlsSocket> {
  const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
  return new TlsSocket(
    await Deno.startTls(tcp, { hostname: "localhost", caCerts: [ca] }),
    { address: "127.0.0.1", closing },
  );
}

/** Fulfils when no socket is being closed any longer. */
async function settled(closing: { readonly count: number }): Promise<void> {
  while (closing.count > 0) await new Promise((resolve) => setTimeout(resolve));
}

Deno.test("close() ends a handshake that is never answered, and the socket is counted until the peer ends it", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closing = new ClosingSockets();
  const socket = await open(listener.addr.port, closing);
  const peer = await listener.accept();
  const shaking = socket.handshake();
  socket.close();
  socket.close();
  await assertRejects(() => shaking, Deno.errors.Interrupted);
  assertEquals(closing.count, 1);
  peer.close();
  await settled(closing);
});

Deno.test("close() ends a read, and the peer sees the end", async () => {
  using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
  const closing = new ClosingSockets();
  const socket = await open(listener.addr.port, closing);
  using peer = await listener.accept();
  await Promise.all([socket.handshake(), peer.handshake()]);
  await socket.write(new Uint8Array([1, 2]));
  const memory = new Uint8Array(10);
  assertEquals(await peer.read(memory), 2);
  const reading = socket.read(new Uint8Array(10));
  socket.close();
  await assertRejects(() => reading, Deno.errors.Interrupted);
  assertEquals(await peer.read(memory), null);
  await settled(closing);
});

const isFull = Promise.withResolvers<void>();

/** Writes until the peer takes no more; then fulfils `isFull`. */
async function fill(socket: TlsSocket): Promise<void> {
  for (;;) {
    const late = setTimeout(isFull.resolve, 200);
    await socket.write(new Uint8Array(1_000_000));
    clearTimeout(late);
  }
}

Deno.test("close() with bytes that the peer does not take counts the socket until the peer ends it", async () => {
  using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
  const closing = new ClosingSockets();
  const socket = await open(listener.addr.port, closing);
  const peer = await listener.accept();
  await Promise.all([socket.handshake(), peer.handshake()]);
  const writing = assertRejects(() => fill(socket));
  await isFull.promise;
  const reading = socket.read(new Uint8Array(10));
  socket.close();
  await assertRejects(() => reading, Deno.errors.Interrupted);
  assertEquals(closing.count, 1);
  peer.close();
  await writing;
  await settled(closing);
});
