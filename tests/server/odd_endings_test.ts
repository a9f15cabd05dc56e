/**
 * Clients that end their connections in odd ways, many of each: no place, no connection and no descriptor stays behind.
 */
import { assertEquals } from "@std/assert";
import { createConnectionPlaces } from "../../src/limits/connection_places.ts";
import { systemClock } from "../../src/clock.ts";
import {
  closeFrame,
  connectRaw,
  HANDSHAKE,
  type RawClient,
  rawFrame,
  TEXT,
} from "../helpers/raw_client.ts";
import { startServer } from "../helpers/server.ts";
import { latin1 } from "../helpers/upstream.ts";

const ROUNDS = 220;
const AT_ONCE = 20;
const CLOSE = 0x88;
const FIRST_FRAGMENT = 0x01;
const V1 = { "sec-websocket-protocol": "wsfetch.v1" };

const ping = rawFrame(TEXT, '{"type":"ping"}');
const close = rawFrame(CLOSE, Uint8Array.of(3, 232));

async function sendHandshake(port: number, more = new Uint8Array()): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  const fields = Object.entries({ ...HANDSHAKE, ...V1 }).map(([name, value]) =>
    `${name}: ${value}`
  );
  const head = latin1(`GET /ws HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`);
  const bytes = new Uint8Array([...head, ...more]);
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
  return connection;
}

async function use(port: number, act: (client: RawClient) => Promise<unknown>): Promise<void> {
  using client = await connectRaw(port, V1);
  await act(client);
}

const ENDINGS: Readonly<Record<string, (port: number) => Promise<void>>> = {
  "leaves at once": async (port) => (await sendHandshake(port)).close(),
  "sends frames with its handshake, and leaves": async (port) =>
    (await sendHandshake(port, new Uint8Array([...ping, ...ping, ...close]))).close(),
  "sends half of a frame with its handshake, and leaves": async (port) =>
    (await sendHandshake(port, ping.subarray(0, 7))).close(),
  "sends nothing, and leaves": (port) => use(port, () => Promise.resolve()),
  "sends a frame, and leaves": (port) => use(port, (client) => client.write(ping)),
  "sends a frame and a Close frame, and leaves": (port) =>
    use(port, (client) => client.write(new Uint8Array([...ping, ...close]))),
  "sends two Close frames, and reads to the end": (port) =>
    use(port, async (client) => {
      await client.write(new Uint8Array([...close, ...close]));
      await client.readToEnd();
    }),
  "sends a frame after its Close frame, and leaves": (port) =>
    use(port, (client) => client.write(new Uint8Array([...close, ...ping]))),
  "leaves in the middle of a message": (port) =>
    use(port, (client) => client.write(rawFrame(FIRST_FRAGMENT, "{"))),
  "sends a frame with reserved bits, and reads to the end": (port) =>
    use(port, async (client) => {
      await client.write(rawFrame(0xf1, "{"));
      await client.readToEnd();
    }),
  "is closed by the server, and leaves": (port) =>
    use(port, async (client) => {
      await client.write(new Uint8Array(Array(17).fill([...rawFrame(TEXT, "junk")]).flat()));
      await client.readToEnd(closeFrame(4500, "Too many malformed or needless frames"));
    }),
};

/** Lets the event loop turn until something is so; the deadline of tests ends what never becomes so. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!await isSo()) await new Promise<void>((resolve) => systemClock.soon(resolve));
}

async function countDescriptors(): Promise<number> {
  if (Deno.build.os !== "linux") return 0;
  return (await Array.fromAsync(Deno.readDir("/proc/self/fd"))).length;
}

for (const [name, end] of Object.entries(ENDINGS)) {
  Deno.test(`${ROUNDS} connections leave nothing behind whose client ${name}`, async () => {
    const counts = new Int32Array(1);
    const places = createConnectionPlaces(ROUNDS, { counts, index: 0 });
    await using server = startServer({ places });
    await end(server.port);
    const before = await countDescriptors();
    for (let round = 0; round < ROUNDS; round += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, () => end(server.port)));
    }
    await until(() => {
      server.clock.advance(2000);
      return counts[0] === 0;
    });
    await until(async () => await countDescriptors() <= before + 2);
    const count = (event: string): number =>
      server.log.lines.filter((line) => line.event === event).length;
    assertEquals(count("connected"), count("disconnected"));
    assertEquals(count("failed"), 0);
    assertEquals(count("refused"), 0);
  });
}
