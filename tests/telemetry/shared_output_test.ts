import { assert, assertEquals, assertThrows } from "@std/assert";
import { createSharedOutput, endTurn } from "../../src/telemetry/shared_output.ts";
import { readLines } from "../helpers/process.ts";

const LINE = new TextEncoder().encode("line\n");

function createTurn(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4));
}

Deno.test("createSharedOutput() writes, and frees the stream for others", () => {
  const turn = createTurn();
  const written: string[] = [];
  const [first, second] = [1, 2].map((self) =>
    createSharedOutput({ turn, self }, (bytes) => written.push(`${self}`) && bytes.length)
  );
  for (const write of [first, second, first]) assertEquals(write?.(LINE), LINE.length);
  assertEquals([written, [...turn]], [["1", "2", "1"], [0]]);
});

Deno.test("createSharedOutput() keeps the turn of a full stream until all is written, and others do not wait for it", () => {
  const turn = createTurn();
  let room = 2;
  const first = createSharedOutput({ turn, self: 1 }, (bytes) => {
    if (room === 0) throw new Deno.errors.WouldBlock("full");
    const length = Math.min(bytes.length, room);
    room -= length;
    return length;
  });
  const second = createSharedOutput({ turn, self: 2 }, (bytes) => bytes.length);
  assertEquals(first(LINE), 2);
  assertThrows(() => second(LINE), Deno.errors.WouldBlock);
  assertThrows(() => first(LINE.subarray(2)), Deno.errors.WouldBlock);
  assertThrows(() => second(LINE), Deno.errors.WouldBlock);
  room = 3;
  assertEquals(first(LINE.subarray(2)), 3);
  assertEquals(second(LINE), LINE.length);
});

Deno.test("createSharedOutput() keeps the turn until the end of a line", () => {
  const turn = createTurn();
  const [first, second] = [1, 2].map((self) =>
    createSharedOutput({ turn, self }, (bytes) => bytes.length)
  );
  assertEquals(first?.(LINE.subarray(0, 2)), 2);
  assertThrows(() => second?.(LINE), Deno.errors.WouldBlock);
  assertEquals(first?.(LINE.subarray(2)), 3);
  assertEquals(second?.(LINE), LINE.length);
});

Deno.test("createSharedOutput() frees the stream for others when it has failed", () => {
  const turn = createTurn();
  const first = createSharedOutput({ turn, self: 1 }, () => {
    throw new Deno.errors.BrokenPipe("closed");
  });
  assertThrows(() => first(LINE), Deno.errors.BrokenPipe);
  assertEquals(createSharedOutput({ turn, self: 2 }, () => LINE.length)(LINE), LINE.length);
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
  import { createOutput, writeToStandardOutput } from ${source("../../src/telemetry/output.ts")};
  import { createSharedOutput } from ${source("../../src/telemetry/shared_output.ts")};
  self.onmessage = ({ data: turn }) => {
    const self = Number(globalThis.name);
    const output = createOutput(createSharedOutput({ turn, self }, writeToStandardOutput));
    for (let i = 0; i < ${LINES}; i++) {
      const line = JSON.stringify({ self, i, text: String(self).repeat(i % 1000) }) + "\\n";
      output.write(line, (line, lines) => lines.text(line));
    }
    output.flush();
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
