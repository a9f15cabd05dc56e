import { assert, assertEquals } from "@std/assert";
import { createOutput, type WriteLine, type WriteSync } from "../../src/telemetry/output.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";

const WRITE_AFTER_MS = 50;
const RETRY_MS = 20;

/** Creates an output with a fake clock, and lists the texts that it writes. */
function createFake(writeSync: WriteSync = (bytes) => bytes.length): {
  readonly output: { write(line: string): void; flush(): void };
  readonly written: string[];
  readonly clock: FakeClock;
} {
  const written: string[] = [];
  const clock = createFakeClock();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const writeLine: WriteLine<string> = (line, lines) => lines.text(`${line}\n`);
  const output = createOutput((bytes) => {
    const length = writeSync(bytes);
    written.push(decoder.decode(bytes.subarray(0, length), { stream: true }));
    return length;
  }, clock);
  const write = (line: string): void => output.write(line, writeLine);
  return { output: { ...output, write }, written, clock };
}

Deno.test("write() writes lines that arrive within a short time at once", () => {
  const { output, written, clock } = createFake();
  output.write("a");
  output.write("é");
  assertEquals([written, clock.delays], [[], [WRITE_AFTER_MS]]);
  clock.advance(WRITE_AFTER_MS);
  assertEquals(written, ["a\né\n"]);
  output.write("b");
  clock.advance(WRITE_AFTER_MS);
  assertEquals(written, ["a\né\n", "b\n"]);
});

Deno.test("flush() writes waiting lines, once", () => {
  const { output, written, clock } = createFake();
  output.write("a");
  output.flush();
  clock.advance(WRITE_AFTER_MS);
  output.flush();
  assertEquals(written, ["a\n"]);
});

Deno.test("write() does not wait when there are many lines", () => {
  const { output, written } = createFake();
  for (let i = 0; i < 100; i++) output.write("x".repeat(1023));
  assertEquals(written.join("").length, 65 * 1024);
  output.flush();
  assertEquals(written.join("").length, 100 * 1024);
});

Deno.test("write() accepts lines of any length and any characters", () => {
  const { output, written } = createFake((bytes) => Math.min(bytes.length, 50_000));
  const lines = ["a", "é€😀".repeat(100_000), "\ud800", "x".repeat(500_000), ""];
  for (const line of lines) output.write(line);
  output.flush();
  assertEquals(written.join("") === `${lines.join("\n").toWellFormed()}\n`, true);
});

Deno.test("flush() continues after a partial write", () => {
  const { output, written } = createFake((bytes) => Math.min(bytes.length, 2));
  output.write("abcd");
  output.flush();
  assertEquals(written, ["ab", "cd", "\n"]);
});

Deno.test("flush() tries again later when a non-blocking pipe is full, and loses no line", () => {
  let room = 3;
  const { output, written, clock } = createFake((bytes) => {
    if (room === 0) throw new Deno.errors.WouldBlock("full");
    const length = Math.min(bytes.length, room);
    room -= length;
    return length;
  });
  output.write("abcd");
  clock.advance(WRITE_AFTER_MS);
  output.write("efgh");
  output.flush();
  assertEquals([written.join(""), clock.delays], ["abc", [RETRY_MS]]);
  room = 100;
  clock.advance(RETRY_MS);
  assertEquals(written.join(""), "abcd\nefgh\n");
});

Deno.test("write() keeps a bounded number of lines while the reader has stopped reading", () => {
  let isFull = true;
  const { output, written, clock } = createFake((bytes) => {
    if (isFull) throw new Deno.errors.WouldBlock("full");
    return bytes.length;
  });
  output.write("");
  clock.advance(WRITE_AFTER_MS);
  for (let i = 0; i < 3000; i++) output.write("x".repeat(1023));
  isFull = false;
  clock.advance(RETRY_MS);
  const { length } = written.join("");
  assert(length > 1_000_000 && length < 1_300_000, `${length}`);
});

Deno.test("flush() drops lines when the reader has closed the pipe, and more are accepted", () => {
  const { output, written, clock } = createFake(() => {
    throw new Deno.errors.BrokenPipe("closed");
  });
  output.write("a");
  output.flush();
  output.write("b");
  output.flush();
  clock.advance(WRITE_AFTER_MS);
  assertEquals([written, clock.delays], [[], []]);
});

const LINES = 1000;
const PROGRAM = `
import { createLogger } from ${
  JSON.stringify(new URL("../../src/telemetry/logger.ts", import.meta.url))
};
const logger = createLogger({ level: "info", format: "json" });
for (let i = 0; i < ${LINES}; i++) logger.emit({ type: "started", url: String(i) });
`;

const ENDS = [
  { name: "by Deno.exit()", end: "Deno.exit(0)" },
  {
    name: "with the last line",
    end: "logger.emit({ type: 'stopped' }); Deno.kill(Deno.pid, 'SIGKILL')",
  },
  {
    name: "with an error",
    end: "logger.emit({ type: 'failed', error: 1 }); Deno.kill(Deno.pid, 'SIGKILL')",
  },
  { name: "by itself", end: "" },
] as const;

for (const { name, end } of ENDS) {
  Deno.test(`createOutput() writes every line when the process ends ${name}`, async () => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--ext=ts", PROGRAM + end],
      cwd: new URL("../../", import.meta.url),
      stderr: "null",
    }).output();
    const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
    const started = lines.filter((line) => JSON.parse(line).event === "started");
    assertEquals(started.length, LINES);
  });
}
