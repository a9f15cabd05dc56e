import { assertEquals } from "@std/assert";
import {
  createFrameLog,
  type FrameFilter,
  matchesFilter,
  summarize,
} from "../../src/console/frame_log.ts";
import { encodeChunk } from "../../src/protocol/mod.ts";

const chunk = (id: number, size: number, fin = false): Uint8Array<ArrayBuffer> =>
  encodeChunk({ id, payload: new Uint8Array(size).fill(65), fin });

const READ = [
  { input: '{"type":"request","id":3,"url":"x"}', type: "request", id: 3 },
  { input: '{"type":"hello","limits":{}}', type: "hello", id: undefined },
  { input: '{"id":4,"type":"error"}', type: "error", id: 4 },
  { input: '{ "type": "pong" }', type: "pong", id: undefined },
  { input: "[1]", type: "?", id: undefined },
  { input: "null", type: "?", id: undefined },
  { input: "{", type: "?", id: undefined },
];
for (const { input, type, id } of READ) {
  Deno.test(`createFrameLog() reads ${input}`, () => {
    const frame = createFrameLog({ now: () => 7 }).add(1, "sent", input);
    assertEquals([frame.type, frame.id, frame.size, frame.at], [type, id, input.length, 7]);
    assertEquals(summarize(frame), input);
  });
}

Deno.test("createFrameLog() reads chunks and stores their first bytes", () => {
  const log = createFrameLog({ now: () => 0 });
  const first = log.add(1, "received", chunk(258, 5000).buffer);
  assertEquals([first.type, first.id, first.fin, first.size, first.bytes?.length], [
    "chunk",
    258,
    false,
    5000,
    1024,
  ]);
  assertEquals(summarize(first), "5 kB of body");
  const last = log.add(1, "sent", chunk(1, 0, true));
  assertEquals([last.fin, summarize(last)], [true, "0 B of body, last chunk"]);
  assertEquals(log.add(1, "received", new ArrayBuffer(2)).id, undefined);
});

Deno.test("createFrameLog() removes the oldest frames above the maximum number or size", () => {
  const log = createFrameLog({ maxFrames: 100, maxSize: 50_000, now: () => 0 });
  for (let id = 1; id <= 150; id++) log.add(1, "sent", `{"type":"cancel","id":${id}}`);
  assertEquals(log.frames.length + log.dropped, 150);
  assertEquals(log.frames.length <= 100 && log.frames.length >= 90, true);
  log.add(1, "received", `"${"x".repeat(60_000)}"`);
  assertEquals([log.frames.length, log.dropped], [1, 150]);
  log.clear();
  assertEquals([log.frames.length, log.dropped], [0, 151]);
});

const ALL: FrameFilter = { direction: undefined, type: "", text: "" };
const FILTERS: readonly { name: string; filter: FrameFilter; expected: string[] }[] = [
  { name: "all frames", filter: ALL, expected: ["request", "response", "chunk"] },
  { name: "a direction", filter: { ...ALL, direction: "sent" }, expected: ["request"] },
  { name: "a type", filter: { ...ALL, type: "chunk" }, expected: ["chunk"] },
  { name: "a text, ignoring case", filter: { ...ALL, text: "A.TEST" }, expected: ["request"] },
  { name: "a text far inside a frame", filter: { ...ALL, text: "needle" }, expected: ["response"] },
  { name: "the summary of a chunk", filter: { ...ALL, text: "of body" }, expected: ["chunk"] },
];
for (const { name, filter, expected } of FILTERS) {
  Deno.test(`matchesFilter() finds ${name}`, () => {
    const log = createFrameLog({ now: () => 0 });
    log.add(1, "sent", '{"type":"request","id":1,"url":"https://a.test/"}');
    log.add(1, "received", `{"type":"response","id":1,"text":"${" ".repeat(400)}needle"}`);
    log.add(1, "received", chunk(1, 3));
    assertEquals(
      log.frames.filter((frame) => matchesFilter(frame, filter)).map(({ type }) => type),
      expected,
    );
  });
}
