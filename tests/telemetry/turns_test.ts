import { assert, assertEquals, assertThrows } from "@std/assert";
import { createTurns, endTurn } from "../../src/telemetry/turns.ts";
import { readLines } from "../helpers/process.ts";

const LINE = new TextEncoder().encode("line\n");

function createTurn(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4));
}

Deno.test("write() writes, and leaves the turn to others", () => {
  const turn = createTurn();
  const written: string[] = [];
  const [first, second] = [1, 2].map((self) =>
    createTurns({ turn, self }, (bytes) => written.push(`${self}`) && bytes.length)
  );
  for (const write of [first, second, first]) assertEquals(write?.(LINE), LINE.length);
  assertEquals([written, [...turn]], [["1", "2", "1"], [0]]);
});

Deno.test("write() keeps the turn until all is written, and nobody waits for it meanwhile", () => {
  const turn = createTurn();
  let room = 2;
  const first = createTurns({ turn, self: 1 }, (bytes) => {
    if (room === 0) throw new Deno.errors.WouldBlock("full");
    const length = Math.min(bytes.length, room);
    room -= length;
    return length;
  });
  const second = createTurns({ turn, self: 2 }, (bytes) => bytes.length);
  assertEquals(first(LINE), 2);
  assertThrows(() => second(LINE), Deno.errors.WouldBlock);
  assertThrows(() => first(LINE.subarray(2)), Deno.errors.WouldBlock);
  assertThrows(() => second(LINE), Deno.errors.WouldBlock);
  room = 3;
  assertEquals(first(LINE.subarray(2)), 3);
  assertEquals(second(LINE), LINE.length);
});

Deno.test("write() keeps the turn until a line has ended", () => {
  const turn = createTurn();
  const [first, second] = [1, 2].map((self) =>
    createTurns({ turn, self }, (bytes) => bytes.length)
  );
  assertEquals(first?.(LINE.subarray(0, 2)), 2);
  assertThrows(() => second?.(LINE), Deno.errors.WouldBlock);
  assertEquals(first?.(LINE.subarray(2)), 3);
  assertEquals(second?.(LINE), LINE.length);
});

Deno.test("write() leaves the turn to others when the stream has failed", () => {
  const turn = createTurn();
  const first = createTurns({ turn, self: 1 }, () => {
    throw new Deno.errors.BrokenPipe("closed");
  });
  assertThrows(() => first(LINE), Deno.errors.BrokenPipe);
  assertEquals(createTurns({ turn, self: 2 }, () => LINE.length)(LINE), LINE.length);
});

Deno.test("endTurn() gives back the turn of one that has ended, and of no other", () => {
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
  import { createTurns } from ${source("../../src/telemetry/turns.ts")};
  self.onmessage = ({ data: turn }) => {
    const self = Number(globalThis.name);
    const output = createOutput({
      writeSync: createTurns({ turn, self }, writeToStandardOutput),
    });
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

Deno.test("the lines of several isolates stay whole in a pipe whose reader is slow", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", PROGRAM],
    cwd: new URL("../../", import.meta.url),
    stdout: "piped",
    stderr: "null",
  }).spawn();
  // Each batch is larger than the pipe: its writer waits for room, which another would take.
  const next = new Map<number, number>();
  await readLines(child.stdout, (line) => {
    const { self, i, text } = JSON.parse(line);
    assertEquals([i, text], [next.get(self) ?? 0, String(self).repeat(i % 1000)]);
    next.set(self, i + 1);
  });
  assert((await child.status).success);
  assertEquals([...next.values()], Array(WORKERS).fill(LINES));
});
