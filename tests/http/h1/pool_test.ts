/**
 * Which connections are kept, opened and shared, with connections in memory and a clock that stands still.
 */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { TcpConnection } from "../../../src/http/h1/connection.ts";
import type { DialTarget } from "../../../src/http/h1/dial.ts";
import type { Host } from "../../../src/http/h1/host.ts";
import { Pool, type PoolLimits } from "../../../src/http/h1/pool.ts";
import type { Acquired, Wish } from "../../../src/http/h1/waiting.ts";
import type { UpstreamRoute } from "../../../src/http/transport.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { createFakeClock, type FakeClock } from "../../helpers/clock.ts";
import { createWire, type Wire } from "./wire.ts";

// A pool sweeps as often as this.
const IDLE_MS = 1000;
const ADDRESS = "192.0.2.1";

/** An attempt to open a connection, which the test decides. */
interface Dialing {
  readonly target: DialTarget;
  readonly signal: AbortSignal;
  /** Makes the connection. */
  accept(address?: string): Wire;
  fail(error: unknown): void;
}

interface World {
  readonly pool: Pool;
  readonly clock: FakeClock;
  readonly dialed: readonly Dialing[];
  host(name?: string, route?: UpstreamRoute): Host;
  /** Opens connections, all of which are in use. */
  open(count: number, host?: Host): Promise<readonly TcpConnection[]>;
  /** Keeps connections and lets them settle. */
  release(...connections: readonly TcpConnection[]): void;
}

function wish(changes: Partial<Wish> = {}): Wish {
  return {
    addresses: [ADDRESS],
    identity: undefined,
    owner: undefined,
    isBinding: false,
    isFresh: false,
    ...changes,
  };
}

function start(limits: Partial<PoolLimits> = {}): World {
  const clock = createFakeClock();
  const dialed: Dialing[] = [];
  const pool = new Pool(
    { maxPerHost: 100, maxDialsPerHost: 100, maxIdle: 100, idleMs: IDLE_MS, ...limits },
    {
      clock,
      isTls: false,
      dial: (target, signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<never>();
        signal.addEventListener("abort", () => reject(signal.reason));
        dialed.push({
          target,
          signal,
          accept(address = ADDRESS): Wire {
            const tcp = createWire();
            resolve({ tcp, address, times: { connectMs: 1, tlsMs: undefined } } as never);
            return tcp;
          },
          fail: reject,
        });
        return promise;
      },
    },
  );
  const world: World = {
    pool,
    clock,
    dialed,
    host: (name = "h.invalid", route) => pool.host(new URL(`http://${name}/`), route),
    async open(count, host = world.host()): Promise<readonly TcpConnection[]> {
      const from = dialed.length;
      const acquiring = Array.from({ length: count }, () => acquire(host));
      dialed.slice(from).forEach((each) => each.accept());
      return (await Promise.all(acquiring)).map(({ connection }) => connection);
    },
    release(...connections): void {
      for (const connection of connections) pool.release(connection);
      clock.turn();
      clock.turn();
    },
  };
  return world;
}

function acquire(host: Host, changes: Partial<Wish> = {}, signal?: AbortSignal): Promise<Acquired> {
  return host.acquire(wish(changes), signal ?? new AbortController().signal);
}

function isPending(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => false, () => false), microtasks().then(() => true)]);
}

async function microtasks(): Promise<void> {
  for (let count = 0; count < 20; count++) await undefined;
}

Deno.test("take() returns the connection that became idle last, once", async () => {
  const world = start();
  const [first, second] = await world.open(2);
  world.release(first as TcpConnection, second as TcpConnection);
  const host = world.host();
  assertStrictEquals(host.take(wish()), second);
  assertStrictEquals(host.take(wish()), first);
  assertEquals(host.take(wish()), undefined);
});

Deno.test("a connection is offered when the event loop has looked for input once since it became idle", async () => {
  const { pool, clock, open, host } = start();
  const [connection] = await open(1) as [TcpConnection];
  pool.release(connection);
  assertEquals(host().take(wish()), undefined);
  clock.turn();
  assertEquals(host().take(wish()), undefined);
  clock.turn();
  assertStrictEquals(host().take(wish()), connection);
});

Deno.test("a request that finds only connections that have just become idle waits a turn for one", async () => {
  const { pool, clock, open, host, dialed } = start();
  const [connection] = await open(1) as [TcpConnection];
  pool.release(connection);
  const waiting = acquire(host());
  clock.turn();
  clock.turn();
  const { connection: acquired, times } = await waiting;
  assertStrictEquals(acquired, connection);
  assertEquals([times, dialed.length], [undefined, 1]);
});

Deno.test("a request that waits for a connection which ends in the meantime gets a new one", async () => {
  const world = start();
  const first = acquire(world.host());
  const wire = world.dialed[0]?.accept();
  const { connection } = await first;
  world.pool.release(connection);
  const waiting = acquire(world.host());
  wire?.push(null);
  await microtasks();
  assertEquals(world.dialed.length, 2);
  world.dialed[1]?.accept();
  assertEquals((await waiting).connection.isClosed, false);
});

for (const input of ["HTTP/1.1 200 OK\r\n\r\n", "\r\n", null]) {
  Deno.test(`an idle connection on which ${JSON.stringify(input)} arrives is closed`, async () => {
    const world = start();
    const acquiring = acquire(world.host());
    const wire = world.dialed[0]?.accept();
    world.release((await acquiring).connection);
    wire?.push(input);
    await microtasks();
    assertEquals([wire?.isClosed(), world.host().take(wish())], [true, undefined]);
  });
}

Deno.test("take() returns no connection to an address that was not checked", async () => {
  const world = start();
  const [connection] = await world.open(1) as [TcpConnection];
  world.release(connection);
  assertEquals(world.host().take(wish({ addresses: ["192.0.2.9"] })), undefined);
  assertStrictEquals(world.host().take(wish({ addresses: ["192.0.2.9", ADDRESS] })), connection);
  world.release(connection);
  assertStrictEquals(world.host().take(wish({ addresses: undefined })), connection);
});

Deno.test("take() returns a connection that was authenticated to its owner alone, and prefers it for authentication", async () => {
  const world = start();
  const [own, other] = await world.open(2) as [TcpConnection, TcpConnection];
  own.owner = "a";
  world.release(own, other);
  const host = world.host();
  assertStrictEquals(host.take(wish({ owner: "a", isBinding: true })), own);
  world.release(own);
  assertStrictEquals(host.take(wish({ owner: "b" })), other);
  assertEquals(host.take(wish({ owner: "b" })), undefined);
  assertEquals(host.take(wish()), undefined);
  assertStrictEquals(host.take(wish({ owner: "a" })), own);
});

Deno.test("take() closes connections that the server is expected to close", async () => {
  const world = start();
  const [kept, expired] = await world.open(2) as [TcpConnection, TcpConnection];
  kept.expiresAt = 501;
  expired.expiresAt = 500;
  world.release(kept, expired);
  world.clock.advance(500);
  assertStrictEquals(world.host().take(wish()), kept);
  assertEquals(expired.isClosed, true);
});

Deno.test("hosts, and different routes to one host, share no connection", async () => {
  const world = start();
  const [connection] = await world.open(1) as [TcpConnection];
  world.release(connection);
  const [one, other] = [{}, {}];
  assertEquals(world.host("other.invalid").take(wish()), undefined);
  assertEquals(world.host("h.invalid", one).take(wish()), undefined);
  const [routed] = await world.open(1, world.host("h.invalid", one)) as [TcpConnection];
  world.release(routed);
  assertEquals(world.host("h.invalid", other).take(wish()), undefined);
  assertStrictEquals(world.host("h.invalid", one).take(wish()), routed);
  assertStrictEquals(world.host().take(wish()), connection);
});

Deno.test("a pool closes a connection at the second sweep, and no other", async () => {
  const world = start();
  const [old, young] = await world.open(2) as [TcpConnection, TcpConnection];
  world.release(old);
  world.clock.advance(IDLE_MS);
  world.release(young);
  assertEquals([old.isClosed, young.isClosed], [false, false]);
  world.clock.advance(IDLE_MS);
  assertEquals([old.isClosed, young.isClosed], [true, false]);
  assertEquals(world.clock.delays, [IDLE_MS]);
  world.clock.advance(IDLE_MS);
  assertEquals([young.isClosed, world.clock.delays], [true, []]);
});

Deno.test("a pool makes room by closing the connection that was idle longest, whatever its host", async () => {
  const world = start({ maxIdle: 2 });
  const [a, d] = await world.open(2) as [TcpConnection, TcpConnection];
  const [b] = await world.open(1, world.host("b.invalid")) as [TcpConnection];
  const [c] = await world.open(1, world.host("c.invalid")) as [TcpConnection];
  world.release(a);
  world.release(b);
  world.release(c);
  assertEquals([a, b, c].map(({ isClosed }) => isClosed), [true, false, false]);
  world.release(d);
  assertEquals([b, c, d].map(({ isClosed }) => isClosed), [true, false, false]);
});

Deno.test("a pool keeps no connection while all others have just become idle", async () => {
  const world = start({ maxIdle: 1 });
  const [a, b] = await world.open(2) as [TcpConnection, TcpConnection];
  world.pool.release(a);
  world.pool.release(b);
  assertEquals([a.isClosed, b.isClosed], [false, true]);
});

Deno.test("a pool counts a connection that was taken, closed or handed over no longer", async () => {
  const world = start({ maxIdle: 1 });
  const [a, b] = await world.open(2) as [TcpConnection, TcpConnection];
  for (let round = 0; round < 3; round++) {
    world.release(a);
    assertStrictEquals(world.host().take(wish()), a);
    world.pool.release(a);
    const waiting = acquire(world.host());
    world.clock.turn();
    world.clock.turn();
    assertStrictEquals((await waiting).connection, a);
  }
  world.pool.release(a);
  a.close();
  world.release(b);
  assertStrictEquals(world.host().take(wish()), b);
});

Deno.test("a pool that was disposed of has no idle connection, keeps none, and ends what is under way", async () => {
  const world = start();
  const [idle, settling, used] = await world.open(3) as [
    TcpConnection,
    TcpConnection,
    TcpConnection,
  ];
  world.release(idle);
  const waiting = acquire(world.host());
  const late = acquire(world.host("other.invalid"));
  world.pool.release(settling);
  world.pool[Symbol.dispose]();
  assertEquals([idle, settling, used].map(({ isClosed }) => isClosed), [true, true, false]);
  await assertRejects(() => waiting, ProxyError);
  await assertRejects(() => late, ProxyError);
  world.pool.release(used);
  assertEquals([used.isClosed, world.clock.delays], [true, []]);
  assertEquals(world.dialed.at(-1)?.signal.aborted, true);
});

Deno.test("acquire() opens some connections at a time; requests take whichever is there first", async () => {
  const world = start({ maxDialsPerHost: 2 });
  const host = world.host();
  const acquiring = Array.from({ length: 5 }, () => acquire(host));
  assertEquals(world.dialed.length, 2);
  world.dialed[1]?.accept();
  const { connection, times } = await acquiring[1] as Acquired;
  assertEquals(times, { connectMs: 1, tlsMs: undefined });
  assertEquals(world.dialed.length, 3);
  world.clock.advance(70);
  world.release(connection);
  const first = await acquiring[0] as Acquired; // has waited longest
  assertStrictEquals(first.connection, connection);
  assertEquals(first.times, { connectMs: 70, tlsMs: undefined });
  world.dialed[0]?.accept(); // was opened for the first request, and goes to another
  assertEquals((await acquiring[2])?.times, { connectMs: 70, tlsMs: undefined });
  assertEquals(await isPending(acquiring[3] as Promise<Acquired>), true);
});

Deno.test("a connection that nobody needs any longer when it is open is kept", async () => {
  const world = start();
  const [used] = await world.open(1) as [TcpConnection];
  const waiting = acquire(world.host());
  world.release(used);
  assertStrictEquals((await waiting).connection, used);
  world.dialed[1]?.accept();
  await microtasks();
  world.clock.turn();
  world.clock.turn();
  assertEquals(world.host().take(wish())?.address, ADDRESS);
});

Deno.test("acquire() opens no more connections than the host may have, and waits for one that becomes free", async () => {
  const world = start({ maxPerHost: 2 });
  const [one, other] = await world.open(2) as [TcpConnection, TcpConnection];
  const waiting = [acquire(world.host()), acquire(world.host())] as const;
  assertEquals(world.dialed.length, 2);
  other.close();
  assertEquals(world.dialed.length, 3);
  world.release(one);
  assertStrictEquals((await waiting[0]).connection, one);
  world.dialed[2]?.accept();
  await waiting[1];
});

Deno.test("an idle connection that does not fit makes room for one that does", async () => {
  const world = start({ maxPerHost: 1 });
  const [connection] = await world.open(1) as [TcpConnection];
  world.release(connection);
  const waiting = acquire(world.host(), { addresses: ["192.0.2.9"] });
  assertEquals([connection.isClosed, world.dialed.length], [true, 2]);
  world.dialed[1]?.accept("192.0.2.9");
  assertEquals((await waiting).connection.address, "192.0.2.9");
});

Deno.test("a request that needs a new connection gets no other", async () => {
  const world = start();
  const [used] = await world.open(1) as [TcpConnection];
  const waiting = acquire(world.host(), { isFresh: true });
  world.release(used);
  assertEquals(await isPending(waiting), true);
  world.dialed[1]?.accept();
  assertEquals((await waiting).connection === used, false);
});

Deno.test("a connection that is not made fails the request that it was opened for, and the next one is tried", async () => {
  const world = start({ maxDialsPerHost: 1 });
  const acquiring = [acquire(world.host()), acquire(world.host())] as const;
  const refused = new ProxyError("connection_refused", "");
  world.dialed[0]?.fail(refused);
  assertStrictEquals(await assertRejects(() => acquiring[0]), refused);
  world.dialed[1]?.accept();
  await acquiring[1];
});

Deno.test("a connection that is not made in time fails all requests that have waited as long", async () => {
  const world = start({ maxDialsPerHost: 1 });
  const acquiring = [acquire(world.host()), acquire(world.host())] as const;
  world.clock.advance(1);
  const later = acquire(world.host());
  const late = new ProxyError("connection_timeout", "");
  world.dialed[0]?.fail(late);
  for (const each of acquiring) assertStrictEquals(await assertRejects(() => each), late);
  assertEquals(world.dialed.length, 2);
  world.dialed[1]?.accept();
  await later;
});

Deno.test("a request that is aborted while others wait fails none of them", async () => {
  const world = start({ maxDialsPerHost: 2 });
  const [first, second] = await world.open(2) as [TcpConnection, TcpConnection];
  const controller = new AbortController();
  const dialing = [
    acquire(world.host(), { addresses: ["192.0.2.9"] }, controller.signal),
    acquire(world.host()),
  ] as const;
  const waiting = acquire(world.host());
  world.release(second);
  await dialing[1];
  const late = new ProxyError("connection_timeout", "");
  controller.abort(late);
  assertStrictEquals(await assertRejects(() => dialing[0]), late);
  assertEquals(world.dialed[2]?.signal.aborted, true);
  assertEquals(await isPending(waiting), true);
  world.release(first);
  await waiting;
});

Deno.test("an aborted request waits no longer; its connection is given up unless another request waits", async () => {
  const world = start();
  const [one, other] = [new AbortController(), new AbortController()];
  const acquiring = [
    acquire(world.host(), {}, one.signal),
    acquire(world.host(), {}, other.signal),
  ] as const;
  const spare = acquire(world.host(), { addresses: ["192.0.2.9"] });
  const reason = new Error("enough");
  one.abort(reason);
  assertStrictEquals(await assertRejects(() => acquiring[0]), reason);
  assertEquals(world.dialed.map(({ signal }) => signal.aborted), [true, false, false]);
  world.dialed[2]?.accept("192.0.2.9");
  await spare;
  other.abort(reason);
  assertStrictEquals(await assertRejects(() => acquiring[1]), reason);
  assertEquals(world.dialed[1]?.signal.aborted, true);
});

Deno.test("a request that is aborted while a connection settles gets the reason of its signal", async () => {
  const { pool, clock, open, host } = start();
  const [connection] = await open(1) as [TcpConnection];
  pool.release(connection);
  const controller = new AbortController();
  const waiting = acquire(host(), {}, controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  clock.turn();
  clock.turn();
  assertStrictEquals(await assertRejects(() => waiting), reason);
});

Deno.test("the address that accepted a connection last is tried first", async () => {
  const world = start();
  const addresses = ["192.0.2.9", ADDRESS];
  acquire(world.host(), { addresses });
  world.dialed[0]?.accept();
  await microtasks();
  acquire(world.host(), { addresses });
  assertEquals(world.dialed.map(({ target }) => target.addresses), [
    addresses,
    [ADDRESS, "192.0.2.9"],
  ]);
});

Deno.test("nothing is kept of a host whose connections have ended", async () => {
  const world = start();
  const host = world.host();
  const [connection] = await world.open(1) as [TcpConnection];
  assertStrictEquals(world.host(), host);
  connection.close();
  assertEquals(world.host() === host, false);
});
