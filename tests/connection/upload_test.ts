import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concat } from "@std/bytes/concat";
import fc from "fast-check";
import { Upload } from "../../src/connection/upload.ts";
import { type ErrorCode, ProxyError } from "../../src/protocol/mod.ts";

interface Bench {
  readonly upload: Upload;
  readonly reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly grants: readonly number[];
  /** How many chunks the request has taken. */
  readonly taken: () => number;
  /** Pushes a chunk of bytes that count up from the start of the body. */
  push(length: number, fin?: boolean): void;
  /** Returns the size of the next chunk that is read, or `"end"`. */
  read(): Promise<number | "end">;
}

function createBench({ windowBytes = 10, maxBytes = Infinity } = {}): Bench {
  const grants: number[] = [];
  let taken = 0;
  let pushed = 0;
  const upload = new Upload({
    windowBytes,
    maxBytes,
    grant: (bytes) => void grants.push(bytes),
    taken: () => taken++,
  });
  const reader = upload.body.getReader();
  return {
    upload,
    reader,
    grants,
    taken: () => taken,
    push(length, fin = false): void {
      const payload = new Uint8Array(length).map(() => pushed++ % 251);
      upload.push({ id: 1, fin, payload });
    },
    async read(): Promise<number | "end"> {
      const { done, value } = await reader.read();
      return done ? "end" : value.byteLength;
    },
  };
}

function assertRefused(push: () => void, code: ErrorCode, message: string): void {
  const error = assertThrows(push, ProxyError, message);
  assertEquals([error.code, error.sent], [code, "maybe"]);
}

Deno.test("push() hands chunks to the reader in their order, and ends with FIN", async () => {
  const { push, read, taken } = createBench();
  push(3);
  const first = read();
  const second = read(); // before it has arrived
  assertEquals(await first, 3);
  push(4);
  push(1, true);
  assertEquals([await second, await read(), await read(), await read()], [4, 1, "end", "end"]);
  assertEquals(taken(), 3);
});

Deno.test("push() takes an empty last chunk, alone or after the rest", async () => {
  const empty = createBench();
  empty.push(0, true);
  assertEquals(await empty.read(), "end");
  const { push, read } = createBench();
  const first = read();
  push(2);
  assertEquals(await first, 2);
  const last = read();
  push(0, true);
  assertEquals(await last, "end");
});

Deno.test("push() takes empty chunks, which the reader does not see and which use no credit", async () => {
  const { push, read, grants } = createBench();
  const first = read();
  for (let count = 0; count < 20; count++) push(0);
  push(10);
  push(0);
  push(0, true);
  assertEquals([await first, await read(), grants], [10, "end", []]);
});

Deno.test("an upload hands nothing over before it is read, and then no more than is asked for", async () => {
  const { push, read, taken, grants } = createBench();
  push(5);
  push(5);
  await Promise.resolve();
  assertEquals([taken(), grants], [0, []]);
  assertEquals([await read(), taken(), grants], [5, 1, [5]]);
});

Deno.test("an upload grants the bytes that were read once they are half of the window", async () => {
  const { push, read, grants } = createBench();
  const readAll = async (...lengths: number[]): Promise<readonly number[]> => {
    for (const length of lengths) {
      push(length);
      assertEquals(await read(), length);
    }
    return grants;
  };
  assertEquals(await readAll(4), []);
  assertEquals(await readAll(1), [5]);
  assertEquals(await readAll(4, 6), [5, 10]);
  assertEquals(await readAll(1, 1, 1, 1), [5, 10]);
});

Deno.test("an upload grants nothing after the last chunk", async () => {
  const { push, read, grants } = createBench();
  push(10, true);
  assertEquals([await read(), await read(), grants], [10, "end", []]);
});

Deno.test("push() refuses one byte more than its credit, and takes its credit to the byte", async () => {
  const { push, read, grants } = createBench();
  push(4);
  assertRefused(
    () => push(7),
    "flow_control_error",
    "A chunk of 7 bytes arrived with a credit of 6",
  );
  push(6);
  assertRefused(
    () => push(1),
    "flow_control_error",
    "A chunk of 1 bytes arrived with a credit of 0",
  );
  push(0);
  assertEquals([await read(), await read(), grants], [4, 6, [10]]);
  assertRefused(() => push(11), "flow_control_error", "with a credit of 10");
  push(10);
});

for (const length of [0, 1]) {
  Deno.test(`push() refuses a chunk of ${length} bytes after the last one`, async () => {
    const { push, read } = createBench();
    push(1, true);
    const message = "A chunk arrived after the last one";
    assertRefused(() => push(length), "flow_control_error", message);
    assertRefused(() => push(length, true), "flow_control_error", message);
    assertEquals([await read(), await read()], [1, "end"]);
    assertRefused(() => push(length), "flow_control_error", message);
  });
}

Deno.test("push() refuses the byte that makes a body too large", async () => {
  const { push, read } = createBench({ maxBytes: 12 });
  push(10);
  await read();
  push(2);
  assertRefused(() => push(1), "request_too_large", "The request body is larger than 12 bytes");
  assertRefused(
    () => createBench({ maxBytes: 0 }).push(1, true),
    "request_too_large",
    "larger than 0 bytes",
  );
  createBench({ maxBytes: 0 }).push(0, true);
});

Deno.test("close() drops the chunks that wait and all later ones, and grants nothing", async () => {
  const { upload, push, grants, taken } = createBench();
  push(10);
  upload.close();
  upload.close();
  for (const fin of [false, true, true]) push(1000, fin);
  await Promise.resolve();
  assertEquals([grants, taken()], [[], 0]);
});

Deno.test("a reader that cancels ends the upload: later chunks are dropped", async () => {
  for (const isReading of [false, true]) {
    const { reader, push, read, grants, taken } = createBench();
    push(6);
    await read();
    const reading = isReading ? read() : undefined;
    await reader.cancel(new Error("the destination has responded"));
    if (reading !== undefined) assertEquals(await reading, "end");
    for (const fin of [false, true, false]) push(1000, fin);
    assertEquals([grants, taken()], [[6], 1]);
  }
});

Deno.test("an upload hands over every byte, however it is cut, pushed and read", async () => {
  const sizes = fc.array(fc.nat(30), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.integer({ min: 1, max: 40 }), async (sizes, window) => {
      const { upload, reader, push, grants } = createBench({ windowBytes: window });
      const received: Uint8Array<ArrayBuffer>[] = [];
      let credit = window;
      let seen = 0;
      for (let rest of sizes) {
        do {
          const length = Math.min(rest, credit);
          push(length);
          [credit, rest] = [credit - length, rest - length];
          const { value } = length > 0 ? await reader.read() : {};
          if (value !== undefined) received.push(value.slice());
          for (; seen < grants.length; seen++) credit += grants[seen] ?? 0;
        } while (rest > 0 && credit > 0);
        assertEquals(rest, 0, "credit never ends while everything has been read");
        assert(credit <= window && grants.every((bytes) => bytes >= window / 2));
      }
      upload.push({ id: 1, fin: true, payload: new Uint8Array() });
      assertEquals((await reader.read()).done, true);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      assertEquals(concat(received), new Uint8Array(total).map((_, at) => at % 251));
    }),
  );
});

Deno.test("close() makes a read fail that waits, and every later one", async () => {
  const { upload, read } = createBench();
  const reading = read();
  upload.close();
  for (const failing of [reading, read()]) await assertRejects(() => failing, TypeError);
});

Deno.test("close() leaves a stream alone that has ended", async () => {
  const { upload, push, read } = createBench();
  push(1, true);
  assertEquals(await read(), 1);
  upload.close();
  assertEquals(await read(), "end");
});

Deno.test("an upload packs small chunks that wait, and keeps their order", async () => {
  const { push, read } = createBench({ windowBytes: 100_000 });
  for (const length of [10, 4095, 4095, 4095, 4095, 4, 1, 4096, 5]) push(length);
  push(0, true);
  const sizes: (number | "end")[] = [];
  while (sizes.at(-1) !== "end") sizes.push(await read());
  // A chunk that nothing precedes, or of 4096 bytes, is not copied; a pack has 16,384 bytes.
  assertEquals(sizes, [10, 16_384, 1, 4096, 5, "end"]);
});

Deno.test("an upload frees the memory of a chunk when the next is asked for", async () => {
  const { push, reader, read } = createBench();
  push(3);
  const { value } = await reader.read();
  assertEquals(value?.byteLength, 3);
  push(2);
  assertEquals(await read(), 2);
  assertEquals(value?.byteLength, 0);
});
