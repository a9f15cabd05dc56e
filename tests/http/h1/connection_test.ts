import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type Tcp, TcpConnection } from "../../../src/http/h1/connection.ts";
import { type RawConnection, startRaw } from "../../helpers/upstream.ts";
import { createWire } from "./wire.ts";

/** Returns the bytes that have arrived and have not been taken. */
function textOf({ memory, start, end }: TcpConnection): string {
  return memory.toString("latin1", start, end);
}

/** Runs a script against one real connection. */
async function withConnection(
  server: (connection: RawConnection) => Promise<void>,
  script: (connection: TcpConnection, closed: Promise<void>) => Promise<void>,
): Promise<void> {
  await using upstream = startRaw(server);
  const tcp = await Deno.connect({ hostname: "127.0.0.1", port: upstream.port });
  const { connection, closed } = watch(tcp);
  try {
    await script(connection, closed);
  } finally {
    connection.close();
  }
}

/** Creates a connection and a promise that fulfils when it has been closed. */
function watch(tcp: Tcp): { connection: TcpConnection; closed: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const keeper = {
    closed: () => resolve(),
    release: () => {},
    settled: () => {},
    sentUnasked: () => {},
  };
  return { connection: new TcpConnection(tcp, "192.0.2.1", keeper), closed: promise };
}

Deno.test("fill() adds new bytes to those that were not taken", async () => {
  const connection = new TcpConnection(createWire("ab", "cd", "ef", null));
  assertEquals([await connection.fill(), textOf(connection)], [true, "ab"]);
  connection.start += 1;
  assertEquals([await connection.fill(), textOf(connection)], [true, "bcd"]);
  assertEquals([connection.start, connection.end], [1, 4]); // nothing was moved
  connection.start = connection.end;
  assertEquals([await connection.fill(), textOf(connection)], [true, "ef"]);
  assertEquals([connection.start, connection.end], [0, 2]); // the memory is used from its beginning
  assertEquals([await connection.fill(), textOf(connection)], [false, "ef"]);
});

Deno.test("fill() makes room for any number of bytes that are not taken", async () => {
  const texts = Array.from({ length: 50 }, (_, at) => String(at % 10).repeat(1999));
  const connection = new TcpConnection(createWire("x", ...texts, null));
  await connection.fill();
  connection.start = 1;
  while (await connection.fill());
  assertEquals(textOf(connection), texts.join(""));
});

Deno.test("reserve() makes room and keeps the bytes that have arrived", async () => {
  const connection = new TcpConnection(createWire("abc", "d".repeat(70_000)));
  await connection.fill();
  connection.start = 1;
  connection.reserve(65_536);
  assertEquals([textOf(connection), connection.memory.length >= 65_538], ["bc", true]);
  await connection.fill();
  assert(textOf(connection).length >= 65_538);
  assertEquals(textOf(connection).slice(0, 4), "bcdd");
});

Deno.test("read() reads into other memory, and returns 0 at the end", async () => {
  const connection = new TcpConnection(createWire("abc", null));
  const memory = new Uint8Array(2);
  assertEquals([await connection.read(memory), ...memory], [2, 0x61, 0x62]);
  assertEquals([await connection.read(memory), ...memory], [1, 0x63, 0x62]);
  assertEquals(await connection.read(memory), 0);
});

Deno.test("write() writes all bytes, however few the system takes at a time", async () => {
  const wire = createWire();
  const tcp = { ...wire, write: (bytes: Uint8Array) => wire.write(bytes.subarray(0, 3)) };
  const connection = new TcpConnection(tcp);
  const writing = connection.write(new TextEncoder().encode("0123456789"));
  assertEquals(connection.isWriting, true);
  await writing;
  assertEquals([wire.written(), connection.isWriting], ["0123456789", false]);
});

Deno.test("writeHead() writes a head and a short body at once, and all bytes unchanged", async () => {
  for (
    const [headLength, bodyLength, expected] of [[10, 20, 1], [1096, 3000, 1], [1097, 3000, 2], [
      5000,
      0,
      1,
    ], [5000, 9, 2]]
  ) {
    const wire = createWire();
    let writes = 0;
    const write = (bytes: Uint8Array): Promise<number> => {
      writes++;
      return wire.write(bytes);
    };
    const head = "\xe9".repeat(headLength ?? 0);
    const body = bodyLength ? new Uint8Array(bodyLength).fill(0x62) : null;
    await new TcpConnection({ ...wire, write }).writeHead(head, body);
    assertEquals([wire.written(), writes], [head + "b".repeat(bodyLength ?? 0), expected]);
  }
});

Deno.test("isWriting stays true when a write has failed", async () => {
  const read = Promise.withResolvers<void>();
  await withConnection(async (connection) => {
    await connection.readHead();
    connection.close();
    read.resolve();
  }, async (connection) => {
    await connection.writeHead("a\r\n\r\n", null);
    await read.promise;
    await assertRejects(async () => {
      for (;;) await connection.write(new Uint8Array(100_000));
    });
    assertEquals(connection.isWriting, true);
  });
});

Deno.test("isWriting is true while a server does not read, and close() ends the write", async () => {
  const done = Promise.withResolvers<void>();
  await withConnection(() => done.promise, async (connection) => {
    const writing = assertRejects(() => connection.write(new Uint8Array(50_000_000)));
    const reading = assertRejects(() => connection.fill());
    assertEquals([connection.isWriting, connection.isClosed], [true, false]);
    connection.close();
    connection.close(); // and once more, as a listener may
    await Promise.all([writing, reading]);
    assertEquals([connection.isWriting, connection.isClosed], [true, true]);
    done.resolve();
  });
});

const ENDS: readonly {
  name: string;
  input: (connection: RawConnection) => Promise<void> | void;
}[] = [
  { name: "closes", input: (connection) => connection.close() },
  { name: "half closes", input: (connection) => connection.closeWrite() },
  { name: "sends a byte", input: (connection) => connection.write("x") },
];

for (const { name, input } of ENDS) {
  Deno.test(`an idle connection is closed when the server ${name}, but not after endIdle()`, async () => {
    const ready = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    await withConnection(async (connection) => {
      await ready.promise;
      await input(connection);
      await gone.promise;
    }, async (connection, closed) => {
      connection.beginIdle();
      ready.resolve();
      await closed;
      gone.resolve();
    });
    const wire = createWire();
    const { connection, closed } = watch(wire);
    const ended = closed.then(() => "ended");
    connection.beginIdle();
    connection.endIdle();
    wire.push(name === "sends a byte" ? "x" : null);
    await connection.fill();
    assertEquals(await Promise.race([ended, Promise.resolve("in use")]), "in use");
  });
}

Deno.test("an idle connection is closed when it is reset", async () => {
  const wire = createWire();
  const { connection, closed } = watch(wire);
  connection.beginIdle();
  wire.close(); // which is how a read is rejected
  await closed;
});

Deno.test("close() tells the keeper once", () => {
  let closings = 0;
  const keeper = {
    closed: () => closings++,
    release: () => {},
    settled: () => {},
    sentUnasked: () => {},
  };
  const connection = new TcpConnection(createWire(), "192.0.2.1", keeper);
  connection.close();
  connection.close();
  assertEquals(closings, 1);
});

Deno.test("fill() reads new bytes after endIdle()", async () => {
  const wire = createWire("one");
  const connection = new TcpConnection(wire);
  await connection.fill();
  connection.start = connection.end;
  for (const text of ["two", "three"]) {
    connection.beginIdle();
    connection.endIdle();
    wire.push(text);
    assertEquals([await connection.fill(), textOf(connection)], [true, text]);
    connection.start = connection.end;
  }
});

Deno.test("beginIdle() keeps the memory when there was no long body", async () => {
  const connection = new TcpConnection(createWire("a"));
  const { memory } = connection;
  await connection.fill();
  connection.beginIdle();
  assertStrictEquals(connection.memory, memory);
  assertEquals([connection.start, connection.end, connection.expiresAt], [0, 0, Infinity]);
});

Deno.test("reserve() leaves the memory alone while a byte is awaited since beginIdle()", async () => {
  const wire = createWire();
  const connection = new TcpConnection(wire);
  connection.beginIdle();
  const { memory } = connection;
  connection.endIdle();
  connection.reserve(100_000);
  assertStrictEquals(connection.memory, memory);
  wire.push("ab");
  assertEquals([await connection.fill(), textOf(connection)], [true, "ab"]);
});

Deno.test("beginIdle() releases the memory of a long body", () => {
  const connection = new TcpConnection(createWire("a"));
  const { length } = connection.memory;
  connection.reserve(1_000_000);
  assert(connection.memory.length >= 1_000_000);
  connection.beginIdle();
  assertEquals(connection.memory.length, length);
});

Deno.test("isStale is true from beginIdle() to the first byte", async () => {
  const wire = createWire("a");
  const connection = new TcpConnection(wire);
  assertEquals(connection.isStale, false);
  await connection.fill();
  connection.start = connection.end;
  connection.beginIdle();
  connection.endIdle();
  assertEquals(connection.isStale, true);
  wire.push("b");
  await connection.fill();
  connection.start = connection.end;
  wire.push(null);
  assertEquals([await connection.fill(), connection.isStale], [false, false]);
});

/** A connection whose reads return these records, of so many bytes each. */
function recordsOf(
  ...records: readonly (number | null)[]
): Tcp & { readonly unread: () => number } {
  const waiting = [...records];
  return {
    read(memory): Promise<number | null> {
      const next = waiting.shift();
      if (next === undefined) return new Promise(() => {});
      memory.fill(1, 0, next ?? 0);
      return Promise.resolve(next);
    },
    write: (bytes) => Promise.resolve(bytes.length),
    close: () => {},
    unread: () => waiting.length,
  };
}

const RECORD = 16_384;

Deno.test("fillUpTo() takes all records that have arrived, up to the wanted bytes and to its memory", async () => {
  const tcp = recordsOf(RECORD, RECORD, RECORD, RECORD, RECORD);
  const connection = new TcpConnection(tcp);
  connection.reserve(4 * RECORD);
  assertEquals([await connection.fillUpTo(2 * RECORD), connection.end], [true, 2 * RECORD]);
  connection.start = connection.end;
  assertEquals(await connection.fillUpTo(Infinity), true);
  assertEquals([connection.start, connection.end, tcp.unread()], [0, 3 * RECORD, 0]);
});

Deno.test("fillUpTo() waits for one record only, and the next fill() takes what arrives later", async () => {
  const wire = createWire("a".repeat(RECORD));
  const connection = new TcpConnection(wire);
  connection.reserve(4 * RECORD);
  assertEquals([await connection.fillUpTo(Infinity), connection.end], [true, RECORD]);
  connection.start = connection.end;
  wire.push("bc");
  assertEquals([await connection.fill(), textOf(connection)], [true, "bc"]);
});

Deno.test("fillUpTo() tells the end, and an error, with the next call", async () => {
  const connection = new TcpConnection(recordsOf(RECORD, null));
  connection.reserve(4 * RECORD);
  assertEquals([await connection.fillUpTo(Infinity), await connection.fill()], [true, false]);
  const wire = createWire("a".repeat(RECORD));
  const reset = new TcpConnection(wire);
  reset.reserve(4 * RECORD);
  assertEquals(await reset.fillUpTo(Infinity), true);
  wire.close();
  await assertRejects(() => reset.fill());
});
