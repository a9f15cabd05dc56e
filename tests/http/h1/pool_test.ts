import { assertEquals } from "@std/assert";
import { type Connection, createConnection } from "../../../src/http/h1/connection.ts";
import { createPool, type Pool, type PoolOptions } from "../../../src/http/h1/pool.ts";
import { type RawUpstream, startRaw } from "../../helpers/upstream.ts";

/** A pool whose time a test lets pass. */
interface World extends AsyncDisposable {
  readonly pool: Pool;
  /** Opens a connection to a real server. */
  open(): Promise<Connection>;
  /** Ends the server's side of the connection that was opened so-many-th. */
  end(index: number): void;
  /** Calls what is called every `idleMs`. */
  sweep(): void;
  readonly sweeping: () => boolean;
  now: number;
}

function start(options: Partial<PoolOptions> = {}): World {
  const ends = new Map<number, PromiseWithResolvers<void>>();
  const endOf = (index: number): PromiseWithResolvers<void> => {
    const end = ends.get(index) ?? Promise.withResolvers<void>();
    ends.set(index, end);
    return end;
  };
  const over = Promise.withResolvers<void>();
  let accepted = 0;
  const upstream: RawUpstream = startRaw(async (connection) => {
    await Promise.race([endOf(accepted++).promise, over.promise]);
    connection.close();
  });
  let callback: (() => void) | undefined;
  const pool = createPool({ maxPerKey: 4, max: 100, idleMs: 1000, ...options }, {
    now: () => world.now,
    repeat(called, everyMs): () => void {
      assertEquals([everyMs, callback], [1000, undefined]);
      callback = called;
      return () => callback = undefined;
    },
  });
  const world: World = {
    pool,
    async open(): Promise<Connection> {
      const tcp = await Deno.connect({ hostname: "127.0.0.1", port: upstream.port });
      return createConnection(tcp);
    },
    end: (index) => endOf(index).resolve(),
    sweep: () => callback?.(),
    sweeping: () => callback !== undefined,
    now: 0,
    async [Symbol.asyncDispose](): Promise<void> {
      pool[Symbol.dispose]();
      over.resolve();
      await upstream[Symbol.asyncDispose]();
    },
  };
  return world;
}

/** Opens several connections, one after the other. */
async function openAll(world: World, count: number): Promise<Connection[]> {
  const connections: Connection[] = [];
  while (connections.length < count) connections.push(await world.open());
  return connections;
}

const closed = (connections: readonly Connection[]): boolean[] =>
  connections.map(({ isClosed }) => isClosed);

Deno.test("take() gives the connection that was put last, to the same place, once", async () => {
  await using world = start();
  const { pool } = world;
  const [a, b, c] = await openAll(world, 3) as [Connection, Connection, Connection];
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

Deno.test("put() closes a connection beyond those that may rest in one place", async () => {
  await using world = start({ maxPerKey: 2 });
  const connections = await openAll(world, 4);
  for (const connection of connections.slice(0, 3)) world.pool.put("x", connection);
  for (const connection of connections.slice(3)) world.pool.put("y", connection);
  assertEquals(closed(connections), [false, false, true, false]);
});

Deno.test("put() makes room by the connections that have rested longest", async () => {
  await using world = start({ max: 3 });
  const { pool } = world;
  const connections = await openAll(world, 8);
  const put = (...indices: number[]): void =>
    indices.forEach((index) => pool.put(String(index), connections[index] as Connection));
  put(0, 1);
  world.sweep();
  put(2, 3); // the third and one too many
  assertEquals(closed(connections.slice(0, 4)), [true, true, false, false]);
  put(4, 5, 6, 7);
  // Not all at once: there is never one more, and the last found its place.
  assertEquals(closed(connections).filter((each) => !each).length <= 3, true);
  assertEquals(connections[7]?.isClosed, false);
});

Deno.test("put() closes at once when the pool was disposed of", async () => {
  await using world = start();
  const [a, b] = await openAll(world, 2) as [Connection, Connection];
  world.pool.put("x", a);
  world.pool[Symbol.dispose]();
  world.pool.put("x", b);
  assertEquals([...closed([a, b]), world.pool.take("x"), world.sweeping()], [
    true,
    true,
    undefined,
    false,
  ]);
});

Deno.test("a connection that has seen two sweeps is closed, and no other", async () => {
  await using world = start();
  const { pool } = world;
  const [a, b, c] = await openAll(world, 3) as [Connection, Connection, Connection];
  assertEquals(world.sweeping(), false);
  pool.put("x", a);
  world.sweep();
  pool.put("x", b);
  pool.put("y", c);
  assertEquals(closed([a, b, c]), [false, false, false]);
  world.sweep();
  assertEquals(closed([a, b, c]), [true, false, false]);
  assertEquals(pool.take("x") === b, true);
  pool.put("x", b); // it rests anew
  world.sweep();
  assertEquals([...closed([a, b, c]), world.sweeping()], [true, false, true, true]);
  world.sweep();
  assertEquals([...closed([a, b, c]), world.sweeping()], [true, true, true, false]);
  assertEquals([pool.take("x"), pool.take("y")], [undefined, undefined]);
});

Deno.test("sweeps begin again with the next connection that rests", async () => {
  await using world = start();
  const [a, b] = await openAll(world, 2) as [Connection, Connection];
  world.pool.put("x", a);
  world.sweep();
  world.sweep();
  assertEquals([a.isClosed, world.sweeping()], [true, false]);
  world.pool.put("x", b);
  assertEquals(world.sweeping(), true);
  world.sweep();
  assertEquals(b.isClosed, false);
  world.sweep();
  assertEquals(b.isClosed, true);
});

Deno.test("take() closes what the server is expected to close", async () => {
  await using world = start();
  const { pool } = world;
  const connections = await openAll(world, 3) as [Connection, Connection, Connection];
  const [a, b, c] = connections;
  a.expiresAt = 20;
  b.expiresAt = 10;
  c.expiresAt = 10;
  for (const connection of connections) pool.put("x", connection);
  world.now = 10;
  assertEquals([pool.take("x") === a, ...closed(connections)], [true, false, true, true]);
  assertEquals(pool.take("x"), undefined);
  a.close();
});

Deno.test("a connection that the server ends while it rests is given to nobody, and leaves its place", async () => {
  await using world = start({ maxPerKey: 2, max: 2 });
  const { pool } = world;
  const [a, b, c] = await openAll(world, 3) as [Connection, Connection, Connection];
  pool.put("x", a);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  pool.put("x", { ...b, rest: (tell) => b.rest(() => resolve(tell())) });
  world.end(1);
  await ended;
  assertEquals(closed([a, b]), [false, true]);
  pool.put("x", c);
  assertEquals([pool.take("x") === c, pool.take("x") === a], [true, true]);
  assertEquals(pool.take("x"), undefined);
  for (const connection of [a, c]) connection.close();
});
