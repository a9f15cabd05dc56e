import { assert, assertEquals } from "@std/assert";
import { createOutput, type WriteLine } from "../../src/telemetry/output.ts";

/** An output whose times come by hand, and what was written. */
function createFake(writeSync?: (bytes: Uint8Array) => number): {
  readonly output: { write(line: string): void; flush(): void };
  readonly written: string[];
  /** What is to happen at the end of the turn. */
  readonly soon: (() => void)[];
  /** What is to happen after a while. */
  readonly later: (() => void)[];
} {
  const written: string[] = [];
  const soon: (() => void)[] = [];
  const later: (() => void)[] = [];
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const writeLine: WriteLine<string> = (line, lines) => lines.text(`${line}\n`);
  const output = createOutput({
    writeSync(bytes): number {
      const length = writeSync?.(bytes) ?? bytes.length;
      written.push(decoder.decode(bytes.subarray(0, length), { stream: true }));
      return length;
    },
    soon: (action) => soon.push(action),
    later: (action) => later.push(action),
  });
  const write = (line: string): void => output.write(line, writeLine);
  return { output: { ...output, write }, written, soon, later };
}

Deno.test("write() writes the lines of one turn at once", () => {
  const { output, written, soon } = createFake();
  output.write("a");
  output.write("é");
  assertEquals([written, soon.length], [[], 1]);
  soon.shift()?.();
  assertEquals(written, ["a\né\n"]);
  output.write("b");
  soon.shift()?.();
  assertEquals(written, ["a\né\n", "b\n"]);
});

Deno.test("flush() writes what was taken, once", () => {
  const { output, written, soon } = createFake();
  output.write("a");
  output.flush();
  soon.shift()?.();
  output.flush();
  assertEquals(written, ["a\n"]);
});

Deno.test("write() does not wait for the end of a turn with many lines", () => {
  const { output, written } = createFake();
  for (let i = 0; i < 100; i++) output.write("x".repeat(1023));
  assertEquals(written.join("").length, 65 * 1024);
  output.flush();
  assertEquals(written.join("").length, 100 * 1024);
});

Deno.test("write() takes lines of any length and any characters", () => {
  const { output, written } = createFake((bytes) => Math.min(bytes.length, 50_000));
  const lines = ["a", "é€😀".repeat(100_000), "\ud800", "x".repeat(500_000), ""];
  for (const line of lines) output.write(line);
  output.flush();
  assertEquals(written.join("") === `${lines.join("\n").toWellFormed()}\n`, true);
});

Deno.test("flush() goes on where a write took a part", () => {
  const { output, written } = createFake((bytes) => Math.min(bytes.length, 2));
  output.write("abcd");
  output.flush();
  assertEquals(written, ["ab", "cd", "\n"]);
});

Deno.test("flush() tries again when a pipe that does not block is full, and loses no line", () => {
  let room = 3;
  const { output, written, soon, later } = createFake((bytes) => {
    if (room === 0) throw new Deno.errors.WouldBlock("full");
    const length = Math.min(bytes.length, room);
    room -= length;
    return length;
  });
  output.write("abcd");
  soon.shift()?.();
  output.write("efgh");
  output.flush();
  assertEquals([written.join(""), soon.length, later.length], ["abc", 0, 1]);
  room = 100;
  later.shift()?.();
  assertEquals(written.join(""), "abcd\nefgh\n");
});

Deno.test("write() keeps a bounded number of lines for a reader that has stopped", () => {
  let isFull = true;
  const { output, written, soon, later } = createFake((bytes) => {
    if (isFull) throw new Deno.errors.WouldBlock("full");
    return bytes.length;
  });
  output.write("");
  soon.shift()?.();
  for (let i = 0; i < 3000; i++) output.write("x".repeat(1023));
  isFull = false;
  later.shift()?.();
  const { length } = written.join("");
  assert(length > 1_000_000 && length < 1_300_000, `${length}`);
});

Deno.test("flush() gives up a pipe that nobody reads, and goes on taking lines", () => {
  const { output, written, later } = createFake(() => {
    throw new Deno.errors.BrokenPipe("closed");
  });
  output.write("a");
  output.flush();
  output.write("b");
  output.flush();
  assertEquals([written, later], [[], []]);
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
  Deno.test(`every line is written when the process ends ${name}`, async () => {
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
