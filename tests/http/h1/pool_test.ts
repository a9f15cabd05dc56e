import { assertEquals } from "@std/assert";
import { TcpConnection } from "../../../src/http/h1/connection.ts";
import { Pool, type PoolLimits } from "../../../src/http/h1/pool.ts";
import { createFakeClock, type FakeClock } from "../../helpers/clock.ts";
import { startRaw } from "../../helpers/upstream.ts";

// A pool sweeps as often as this.
const IDLE_MS = 1000;

/** A pool, and a real server to connect to. */
interface World extends AsyncDisposable {
  readonly pool: Pool;
  readonly clock: FakeClock;
  open(): Promise<TcpConnection>;
  /** Closes the server's side of a connection; the first one has index 0. */
  end(index: number): void;
  /** Lets time pass until the next sweep. */
  sweep(): void;
}

function start(limits: Partial<PoolLimits> = {}): World {
  const ends = new Map<number, PromiseWithResolvers<void>>();
  const endOf = (index: number): PromiseWithResolvers<void> => {
    const end = ends.get(index) ?? Promise.withResolvers<void>();
    ends.set(index, end);
    return end;
  };
  const over = Promise.withResolvers<void>();
  let accepted = 0;
  const server = startRaw(async (connection) => {
    await Promise.race([endOf(accepted++).promise, over.promise]);
    connection.close();
  });
  const clock = createFakeClock();
  const pool = new Pool({ maxPerKey: 4, max: 100, idleMs: IDLE_MS, ...limits }, clock);
  return {
    pool,
    clock,
    async open(): Promise<TcpConnection> {
      return new TcpConnection(await Deno.connect({ hostname: "127.0.0.1", port: server.port }));
    },
    end: (index) => endOf(index).resolve(),
    sweep: () => clock.advance(IDLE_MS),
    async [Symbol.asyncDispose](): Promise<void> {
      pool[Symbol.dispose]();
      assertEquals(clock.delays, []);
      over.resolve();
      await server[Symbol.asyncDispose]();
    },
  };
}

type Two = [TcpConnection, TcpConnection];
type Three = [TcpConnection, TcpConnection, TcpConnection];

/** Opens several connections, one after the other. */
async function openAll(world: World, count: number): Promise<TcpConnection[]> {
  const connections: TcpConnection[] = [];
  while (connections.length < count) connections.push(await world.open());
  return connections;
}

function closed(connections: readonly TcpConnection[]): boolean[] {
  return connections.map(({ isClosed }) => isClosed);
}

Deno.test("take() returns the connection with the same key that was put last, once", async () => {
  await using world = start();
  const { pool } = world;
  const [a, b, c] = await openAll(world, 3) as Three;
  pool.put("x", a);
  pool.put("x", b);
  pool.put("y", c);
  assertEquals([pool.take("x") === b, pool.take("x") === a, pool.take("x")], [
    true,
    true,
    undefined,
  ]);
  assertEquals(closed([a, b, c]), [false, false, false]);
  a.close();
  b.close();
});

Deno.test("put() closes a connection beyond the limit of its key", async () => {
  await using world = start({ maxPerKey: 2 });
  const connections = await openAll(world, 4);
  for (const connection of connections.slice(0, 3)) world.pool.put("x", connection);
  for (const connection of connections.slice(3)) world.pool.put("y", connection);
  assertEquals(closed(connections), [false, false, true, false]);
});

Deno.test("put() makes room by closing the connections that were idle longest", async () => {
  await using world = start({ max: 3 });
  const { pool } = world;
  const connections = await openAll(world, 8);
  const put = (...indices: number[]): void =>
    indices.forEach((index) => pool.put(String(index), connections[index] as TcpConnection));
  put(0, 1);
  world.sweep();
  put(2, 3); // the third, and one more than the limit
  assertEquals(closed(connections.slice(0, 4)), [true, true, false, false]);
  put(4, 5, 6, 7);
  // Connections of one age are closed together, so fewer than the limit may be left; the last one found room.
  assertEquals(closed(connections).filter((each) => !each).length <= 3, true);
  assertEquals(connections[7]?.isClosed, false);
});

Deno.test("put() closes the connection when all others became idle recently", async () => {
  await using world = start({ max: 2 });
  const connections = await openAll(world, 4);
  for (const [at, connection] of connections.entries()) world.pool.put(String(at), connection);
  // The third is closed, since the first two have seen only one sweep. They see a second when the fourth needs room.
  assertEquals(closed(connections), [true, true, true, false]);
});

Deno.test("put() counts a connection that was taken out or closed no longer", async () => {
  await using world = start({ max: 2 });
  const { pool } = world;
  const connections = await openAll(world, 6);
  const [a, b, c, d, e, f] = connections as [...Three, ...Three];
  pool.put("x", a);
  assertEquals(pool.take("x") === a, true); // taken out
  pool.put("x", a);
  a.expiresAt = 0;
  assertEquals(pool.take("x"), undefined); // expired
  pool.put("x", b);
  world.sweep();
  world.sweep(); // idle for too long
  assertEquals(closed(connections), [true, true, false, false, false, false]);
  pool.put("x", c);
  pool.put("y", d);
  assertEquals(closed(connections), [true, true, false, false, false, false]);
  pool.put("x", e);
  pool.put("x", f);
  assertEquals(closed(connections).filter((each) => !each).length <= 2, true);
});

Deno.test("put() closes the connection when the pool was disposed of", async () => {
  await using world = start();
  const [a, b] = await openAll(world, 2) as Two;
  world.pool.put("x", a);
  world.pool[Symbol.dispose]();
  world.pool.put("x", b);
  assertEquals([...closed([a, b]), world.pool.take("x")], [true, true, undefined]);
  assertEquals(world.clock.delays, []);
});

Deno.test("a pool closes a connection at the second sweep, and no other", async () => {
  await using world = start();
  const { pool, clock } = world;
  const [a, b, c] = await openAll(world, 3) as Three;
  assertEquals(clock.delays, []);
  pool.put("x", a);
  assertEquals(clock.delays, [IDLE_MS]);
  world.sweep();
  pool.put("x", b);
  pool.put("y", c);
  assertEquals(closed([a, b, c]), [false, false, false]);
  world.sweep();
  assertEquals(closed([a, b, c]), [true, false, false]);
  assertEquals(pool.take("x") === b, true);
  pool.put("x", b); // idle anew
  world.sweep();
  assertEquals([closed([a, b, c]), clock.delays], [[true, false, true], [IDLE_MS]]);
  world.sweep();
  assertEquals([closed([a, b, c]), clock.delays], [[true, true, true], []]);
  assertEquals([pool.take("x"), pool.take("y")], [undefined, undefined]);
});

Deno.test("a pool sweeps at intervals, once for all connections, and starts again when it was empty", async () => {
  await using world = start();
  const [a, b, c] = await openAll(world, 3) as Three;
  world.pool.put("x", a);
  world.clock.advance(2 * IDLE_MS - 1);
  assertEquals([a.isClosed, world.clock.delays], [false, [IDLE_MS]]);
  world.clock.advance(1);
  assertEquals([a.isClosed, world.clock.delays], [true, []]);
  world.pool.put("x", b);
  world.pool.put("y", c);
  assertEquals(world.clock.delays, [IDLE_MS]);
  world.sweep();
  assertEquals(closed([b, c]), [false, false]);
  world.sweep();
  assertEquals(closed([b, c]), [true, true]);
});

Deno.test("take() closes connections that the server is expected to close", async () => {
  await using world = start();
  const { pool, clock } = world;
  const connections = await openAll(world, 3) as Three;
  const [a, b, c] = connections;
  a.expiresAt = 20;
  b.expiresAt = 10;
  c.expiresAt = 10;
  for (const connection of connections) pool.put("x", connection);
  clock.advance(10);
  assertEquals([pool.take("x") === a, ...closed(connections)], [true, false, true, true]);
  assertEquals(pool.take("x"), undefined);
  a.close();
});

Deno.test("a pool drops an idle connection that the server ends, and keeps another in its place", async () => {
  await using world = start({ maxPerKey: 2, max: 2 });
  const { pool } = world;
  const [a, b, c] = await openAll(world, 3) as Three;
  pool.put("x", a);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const beginIdle = b.beginIdle.bind(b);
  b.beginIdle = (callBack) => beginIdle(() => resolve(callBack()));
  pool.put("x", b);
  world.end(1);
  await ended;
  assertEquals(closed([a, b]), [false, true]);
  pool.put("x", c);
  assertEquals([pool.take("x") === c, pool.take("x") === a], [true, true]);
  assertEquals(pool.take("x"), undefined);
  for (const connection of [a, c]) connection.close();
});
