import { assert, assertEquals } from "@std/assert";
import { createOutput, type Output, type WriteLine } from "../../src/telemetry/output.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";
import { settle } from "../helpers/exchange.ts";

const WRITE_AFTER_MS = 50;
const RETRY_MS = 20;
const FLUSH_MS = 1000;

interface FakeOutput extends Pick<Output, "flush" | "dropped"> {
  write(line: string): void;
}

/** Creates an output with a fake clock, and lists the texts that it writes. */
function createFake(
  accept: (bytes: Uint8Array) => number | Promise<number> = (bytes) => bytes.length,
): { readonly output: FakeOutput; readonly written: string[]; readonly clock: FakeClock } {
  const written: string[] = [];
  const clock = createFakeClock();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const writeLine: WriteLine<string> = (line, lines) => lines.text(`${line}\n`);
  const output = createOutput({
    stream: {
      async write(bytes): Promise<number> {
        const length = await accept(bytes);
        written.push(decoder.decode(bytes.subarray(0, length), { stream: true }));
        return length;
      },
      writeSync: () => 0,
    },
    onDropped: (lines) => output.write(`dropped ${lines}`, writeLine),
    clock,
  });
  return {
    output: {
      get dropped(): number {
        return output.dropped;
      },
      write: (line) => output.write(line, writeLine),
      flush: output.flush,
    },
    written,
    clock,
  };
}

Deno.test("write() writes lines that arrive within a short time at once", async () => {
  const { output, written, clock } = createFake();
  output.write("a");
  output.write("é");
  assertEquals([written, clock.delays], [[], [WRITE_AFTER_MS]]);
  clock.advance(WRITE_AFTER_MS);
  await settle();
  assertEquals(written, ["a\né\n"]);
  output.write("b");
  clock.advance(WRITE_AFTER_MS);
  await settle();
  assertEquals(written, ["a\né\n", "b\n"]);
});

Deno.test("flush() writes waiting lines, once", async () => {
  const { output, written, clock } = createFake();
  output.write("a");
  await output.flush();
  clock.advance(WRITE_AFTER_MS);
  await output.flush();
  assertEquals(written, ["a\n"]);
});

Deno.test("write() does not wait when there are many lines", async () => {
  const { output, written } = createFake();
  for (let i = 0; i < 100; i++) output.write("x".repeat(1023));
  await settle();
  assertEquals(written.join("").length, 65 * 1024);
  await output.flush();
  assertEquals(written.join("").length, 100 * 1024);
});

Deno.test("write() accepts lines of any length and any characters", async () => {
  const { output, written } = createFake((bytes) => Math.min(bytes.length, 50_000));
  const lines = ["a", "é€😀".repeat(100_000), "\ud800", "x".repeat(500_000), ""];
  for (const line of lines) output.write(line);
  await output.flush();
  assertEquals(written.join("") === `${lines.join("\n").toWellFormed()}\n`, true);
});

Deno.test("flush() continues after a partial write", async () => {
  const { output, written } = createFake((bytes) => Math.min(bytes.length, 2));
  output.write("abcd");
  await output.flush();
  assertEquals(written, ["ab", "cd", "\n"]);
});

Deno.test("write() keeps what is being written as it was, and writes later lines after it", async () => {
  const gate = Promise.withResolvers<void>();
  const { output, written } = createFake(async (bytes) => {
    await gate.promise;
    return bytes.length;
  });
  output.write("first");
  const flushed = output.flush();
  for (let i = 0; i < 100; i++) output.write(String(i).repeat(500));
  gate.resolve();
  await flushed;
  const expected = Array.from({ length: 100 }, (_, i) => `${String(i).repeat(500)}\n`).join("");
  assertEquals(written.join(""), `first\n${expected}`);
});

Deno.test("flush() tries again later when a non-blocking pipe is full, and loses no line", async () => {
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
  const flushed = output.flush();
  await clock.until(RETRY_MS);
  assertEquals(written.join(""), "abc");
  room = 100;
  clock.advance(RETRY_MS);
  await flushed;
  assertEquals([written.join(""), output.dropped], ["abcd\nefgh\n", 0]);
});

Deno.test("write() keeps a bounded number of lines while nobody reads, and tells how many were dropped", async () => {
  const gate = Promise.withResolvers<void>();
  const { output, written, clock } = createFake(async (bytes) => {
    await gate.promise;
    return bytes.length;
  });
  for (let i = 0; i < 3000; i++) output.write("x".repeat(1023));
  const { dropped } = output;
  assert(dropped > 1500 && dropped < 2000, `${dropped}`);
  gate.resolve();
  await output.flush();
  clock.advance(WRITE_AFTER_MS);
  await output.flush();
  const lines = written.join("").trimEnd().split("\n");
  assertEquals(lines.filter((line) => line.startsWith("dropped")), [`dropped ${dropped}`]);
  assertEquals(lines.length, 3000 - dropped + 1);
  assertEquals(output.dropped, dropped);
});

Deno.test("flush() waits for a stream that accepts nothing for a second", async () => {
  const { output, clock } = createFake(() => new Promise(() => {}));
  output.write("a");
  const flushed = output.flush();
  await settle();
  clock.advance(FLUSH_MS);
  await flushed;
});

for (const error of [new Deno.errors.BrokenPipe("closed"), new Error("No space left on device")]) {
  Deno.test(`write() counts and tells the lines that are lost to "${error.message}"`, async () => {
    let isBroken = true;
    const { output, written, clock } = createFake((bytes) => {
      if (isBroken) throw error;
      return bytes.length;
    });
    output.write("a");
    output.write("b");
    await output.flush();
    output.write("c");
    await output.flush();
    assertEquals([written, output.dropped], [[], 3]);
    isBroken = false;
    output.write("d");
    await output.flush();
    clock.advance(WRITE_AFTER_MS);
    await settle();
    assertEquals(written, ["d\n", "dropped 3\n"]);
  });
}

const LINES = 500;
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
    name: "after flush()",
    end: "logger.emit({ type: 'stopped' }); await logger.flush(); Deno.kill(Deno.pid, 'SIGKILL')",
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
