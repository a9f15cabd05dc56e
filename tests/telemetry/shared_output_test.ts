import { assert, assertEquals, assertRejects } from "@std/assert";
import type { LogStream } from "../../src/telemetry/output.ts";
import { createSharedOutput, endTurn, type OutputTurn } from "../../src/telemetry/shared_output.ts";
import { readLines } from "../helpers/process.ts";

const LINE = new TextEncoder().encode("line\n");

function createTurn(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Creates a stream whose methods do the same. */
function createStream(accept: (bytes: Uint8Array) => number): LogStream {
  return { write: async (bytes) => await accept(bytes), writeSync: accept };
}

type Write = (bytes: Uint8Array) => Promise<number>;
const METHODS: readonly { name: string; toWrite: (stream: LogStream) => Write }[] = [
  { name: "write", toWrite: ({ write }) => write },
  { name: "writeSync", toWrite: ({ writeSync }) => async (bytes) => await writeSync(bytes) },
];

for (const { name, toWrite } of METHODS) {
  const create = (turn: OutputTurn, accept: (bytes: Uint8Array) => number): Write =>
    toWrite(createSharedOutput(turn, createStream(accept)));

  Deno.test(`${name}() writes, and frees the stream for others`, async () => {
    const turn = createTurn();
    const written: string[] = [];
    const [first, second] = [1, 2].map((self) =>
      create({ turn, self }, (bytes) => written.push(`${self}`) && bytes.length)
    );
    for (const write of [first, second, first]) assertEquals(await write?.(LINE), LINE.length);
    assertEquals([written, [...turn]], [["1", "2", "1"], [0]]);
  });

  Deno.test(`${name}() keeps the turn of a full stream until all is written`, async () => {
    const turn = createTurn();
    let room = 2;
    const first = create({ turn, self: 1 }, (bytes) => {
      if (room === 0) throw new Deno.errors.WouldBlock("full");
      const length = Math.min(bytes.length, room);
      room -= length;
      return length;
    });
    const second = create({ turn, self: 2 }, (bytes) => bytes.length);
    assertEquals(await first(LINE), 2);
    await assertRejects(() => second(LINE), Deno.errors.WouldBlock);
    await assertRejects(() => first(LINE.subarray(2)), Deno.errors.WouldBlock);
    await assertRejects(() => second(LINE), Deno.errors.WouldBlock);
    room = 3;
    assertEquals(await first(LINE.subarray(2)), 3);
    assertEquals(await second(LINE), LINE.length);
  });

  Deno.test(`${name}() keeps the turn until the end of a line`, async () => {
    const turn = createTurn();
    const [first, second] = [1, 2].map((self) => create({ turn, self }, (bytes) => bytes.length));
    assertEquals(await first?.(LINE.subarray(0, 2)), 2);
    await assertRejects(async () => await second?.(LINE), Deno.errors.WouldBlock);
    assertEquals(await first?.(LINE.subarray(2)), 3);
    assertEquals(await second?.(LINE), LINE.length);
  });

  Deno.test(`${name}() frees the stream for others when it has failed`, async () => {
    const turn = createTurn();
    const first = create({ turn, self: 1 }, () => {
      throw new Deno.errors.BrokenPipe("closed");
    });
    await assertRejects(() => first(LINE), Deno.errors.BrokenPipe);
    assertEquals(await create({ turn, self: 2 }, () => LINE.length)(LINE), LINE.length);
  });
}

Deno.test("write() keeps the turn while a write is under way, and others do not wait for it", async () => {
  const turn = createTurn();
  const gate = Promise.withResolvers<number>();
  const first = createSharedOutput({ turn, self: 1 }, {
    write: () => gate.promise,
    writeSync: () => 0,
  });
  const second = createSharedOutput({ turn, self: 2 }, createStream(({ length }) => length));
  const writing = first.write(LINE);
  await assertRejects(() => second.write(LINE), Deno.errors.WouldBlock);
  gate.resolve(LINE.length);
  assertEquals(await writing, LINE.length);
  assertEquals(await second.write(LINE), LINE.length);
});

Deno.test("endTurn() ends the turn of the given isolate, and of no other", () => {
  for (const state of [2, -2]) {
    const turn = createTurn();
    turn[0] = state;
    endTurn({ turn, self: 1 });
    assertEquals([...turn], [state]);
    endTurn({ turn, self: 2 });
    assertEquals([...turn], [0]);
  }
});

const WORKERS = 3;
const LINES = 3000;
const source = (path: string): string => JSON.stringify(new URL(path, import.meta.url));
const WORKER = `
  import { createOutput, standardOutput } from ${source("../../src/telemetry/output.ts")};
  import { createSharedOutput } from ${source("../../src/telemetry/shared_output.ts")};
  self.onmessage = async ({ data: turn }) => {
    const self = Number(globalThis.name);
    const output = createOutput({ stream: createSharedOutput({ turn, self }, standardOutput) });
    for (let i = 0; i < ${LINES}; i++) {
      const line = JSON.stringify({ self, i, text: String(self).repeat(i % 1000) }) + "\\n";
      output.write(line, (line, lines) => lines.text(line));
      if (i % 100 === 99) await output.flush();
    }
    await output.flush();
    postMessage("done");
  };
`;
const PROGRAM = `
  const turn = new Int32Array(new SharedArrayBuffer(4));
  const url = "data:application/typescript," + encodeURIComponent(${JSON.stringify(WORKER)});
  let done = 0;
  for (let self = 1; self <= ${WORKERS}; self++) {
    const worker = new Worker(url, { type: "module", name: String(self) });
    worker.onmessage = () => ++done === ${WORKERS} && Deno.exit(0);
    worker.postMessage(turn);
  }
`;

Deno.test("createSharedOutput() keeps the lines of several isolates whole in a pipe with a slow reader", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", PROGRAM],
    cwd: new URL("../../", import.meta.url),
    stdout: "piped",
    stderr: "null",
  }).spawn();
  // Each batch exceeds the capacity of the pipe, so that a writer has to wait and another could write meanwhile.
  const next = new Map<number, number>();
  await readLines(child.stdout, (line) => {
    const { self, i, text } = JSON.parse(line);
    assertEquals([i, text], [next.get(self) ?? 0, String(self).repeat(i % 1000)]);
    next.set(self, i + 1);
  });
  assert((await child.status).success);
  assertEquals([...next.values()], Array(WORKERS).fill(LINES));
});
