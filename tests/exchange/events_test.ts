import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import {
  type StreamEvent,
  type ToEvents,
  toLines,
  toServerSentEvents,
} from "../../src/exchange/events.ts";
import { ProxyError } from "../../src/protocol/mod.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const utf8 = (text: string): Bytes => new TextEncoder().encode(text);

/** Returns chunks as `fetch` does: each is valid until the next is asked for. */
async function* reused(chunks: readonly Bytes[]): AsyncGenerator<Bytes> {
  const memory = new Uint8Array(Math.max(0, ...chunks.map(({ byteLength }) => byteLength)));
  for (const chunk of chunks) {
    memory.fill(0x58);
    memory.set(chunk);
    yield memory.subarray(0, chunk.byteLength);
  }
  memory.fill(0x58);
}

function collect(toEvents: ToEvents, chunks: readonly Bytes[]): Promise<StreamEvent[]> {
  return Array.fromAsync(toEvents(reused(chunks), 10_000));
}

const fields = fc.constantFrom(
  ...["data", "data:", "data: ", "data:  ", "event:", "event: x", "id: 1", "id", "id: a\0b"],
  ...["retry: 10", "retry: 1.5", ": comment", ":", "foo: bar", "daten: a", "data:x\u0000y"],
);
const texts = fc.constantFrom("", "a", "\u00fc", "\u20ac", "\u{1f600}", ":", "x\ty");
const lines = fc.tuple(fields, texts, fc.constantFrom("\n", "\r", "\r\n"), fc.nat(3))
  .map(([field, text, end, blanks]) => field + text + end + (blanks === 0 ? end : ""));
const streams = fc.tuple(
  fc.constantFrom("", "\ufeff"),
  fc.array(lines),
  fc.constantFrom("", "data: cut", "\n\n"),
).map((parts) => utf8(parts.flat().join("")));
// Bytes that are not UTF-8 are replaced, wherever they are cut.
const broken = fc.tuple(streams, fc.nat(), fc.constantFrom(0x80, 0xe2, 0xff, 0xf0)).map(
  ([bytes, at, byte]) => bytes.map((old, index) => index === at % 50 ? byte : old),
);

/** Cuts bytes at these places; the pieces may be empty. */
function cut(bytes: Bytes, places: readonly number[]): Bytes[] {
  const at = places.map((place) => place % (bytes.byteLength + 1)).toSorted((a, b) => a - b);
  return [0, ...at].map((start, index) => bytes.slice(start, at[index] ?? bytes.byteLength));
}

function linesOf(text: string): StreamEvent[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines.map((data) => ({ event: "line", data }));
}

/** Returns the events of a text (WHATWG HTML §9.2.6), in a simple and slow way. */
function eventsOf(text: string): StreamEvent[] {
  const events: StreamEvent[] = [];
  let data: string[] = [];
  let event = "";
  let retry = {};
  let id = {};
  for (const line of text.split(/\r\n|\r|\n/).slice(0, -1)) {
    if (line === "") {
      if (data.length > 0) {
        events.push({ event: event || "message", data: data.join("\n"), ...id, ...retry });
        retry = {};
      }
      data = [];
      event = "";
      continue;
    }
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "data") data.push(value);
    else if (name === "event") event = value;
    else if (name === "id" && !value.includes("\0")) id = { lastEventId: value };
    else if (name === "retry" && /^\d{1,15}$/.test(value)) retry = { retryMs: Number(value) };
  }
  return events;
}

for (const toEvents of [toServerSentEvents, toLines]) {
  Deno.test(`${toEvents.name}() returns the same, however the stream is cut into chunks`, async () => {
    const cuts = fc.array(fc.nat(), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.oneof(streams, broken), cuts, async (bytes, places) => {
        const whole = await collect(toEvents, [bytes]);
        assertEquals(await collect(toEvents, cut(bytes, places)), whole);
      }),
      { numRuns: 300 },
    );
  });

  Deno.test(`${toEvents.name}() returns what the text of the whole stream says`, async () => {
    const read = toEvents === toLines ? linesOf : eventsOf;
    await fc.assert(
      fc.asyncProperty(fc.oneof(streams, broken), fc.array(fc.nat()), async (bytes, places) => {
        const expected = read(new TextDecoder().decode(bytes));
        assertEquals(await collect(toEvents, cut(bytes, places)), expected);
      }),
      { numRuns: 300 },
    );
  });

  Deno.test(`${toEvents.name}() returns the same, a byte at a time`, async () => {
    const text =
      "\ufeffevent: \u20ac\r\nid: \u{1f600}\r\ndata: a\r\n\r\ndata: \u00fc\r\rdata: b\n\n";
    const bytes = utf8(text);
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
    assertEquals(await collect(toEvents, single), await collect(toEvents, [bytes]));
  });

  Deno.test(`${toEvents.name}() fails at its limit for an event that never ends`, async () => {
    let given = 0;
    let left = false;
    async function* endless(): AsyncGenerator<Bytes> {
      try {
        // The stream has an end, so that the test ends even if the limit is missing.
        while (given < 1000) yield utf8(given++ === 0 ? "data: a\n\ndata: b" : "x".repeat(10));
      } finally {
        left = true;
      }
    }
    const events: string[] = [];
    const error = await assertRejects(async () => {
      for await (const { data } of toEvents(endless(), 100)) events.push(data);
    }, ProxyError);
    assertEquals([error.code, error.sent], ["http_response_body_size", "yes"]);
    assertEquals(error.message, "An event of the response is larger than 100 bytes");
    assertEquals([events[0]?.endsWith("a"), left], [true, true]);
    assert(given >= 9 && given <= 14, `${given} chunks of ten bytes were read`);
  });

  Deno.test(`${toEvents.name}() takes any number of events, each below the limit`, async () => {
    const event = utf8(`data: ${"x".repeat(80)}\n\n`);
    const events = await Array.fromAsync(toEvents(reused(Array(50).fill(event)), 100));
    assertEquals(events.filter(({ data }) => data !== "").length, 50);
  });

  Deno.test(`${toEvents.name}() takes any number of chunks that end inside short lines`, async () => {
    const chunk = utf8(`data: ${"x".repeat(40)}\n\ndata: ${"y".repeat(40)}`);
    const rest = utf8(`${"y".repeat(40)}\n\n`);
    const chunks = Array<Bytes[]>(50).fill([chunk, rest]).flat();
    const events = await Array.fromAsync(toEvents(reused(chunks), 100));
    assertEquals(events.filter(({ data }) => data !== "").length, 100);
  });

  Deno.test(`${toEvents.name}() takes any number of chunks that end right after a line`, async () => {
    const chunks = Array.from({ length: 50 }, () => utf8("data: x\n\n".repeat(5)));
    const events = await Array.fromAsync(toEvents(reused(chunks), 10));
    assertEquals(events.filter(({ data }) => data !== "").length, 250);
  });

  Deno.test(`${toEvents.name}() throws the error of its source, after the events before it`, async () => {
    const reason = new Error("broke off");
    async function* source(): AsyncGenerator<Bytes> {
      yield utf8("data: a\n\n");
      throw reason;
    }
    const events: string[] = [];
    await assertRejects(
      async () => {
        for await (const { data } of toEvents(source(), 100)) events.push(data);
      },
      Error,
      "broke off",
    );
    assertEquals(events[0]?.endsWith("a"), true);
  });

  Deno.test(`${toEvents.name}() ends its source when it is left early`, async () => {
    const left = Promise.withResolvers<void>();
    async function* source(): AsyncGenerator<Bytes> {
      try {
        for (;;) yield utf8("data: a\n\n");
      } finally {
        left.resolve();
      }
    }
    for await (const _event of toEvents(source(), 100)) break;
    await left.promise;
  });
}

Deno.test("a byte order mark is removed from the start of a stream, and only one", async () => {
  const text = (marks: number): Bytes => utf8(`${"\ufeff".repeat(marks)}data: a\n\n`);
  for (const marks of [0, 1, 2]) {
    const events = await collect(toServerSentEvents, [text(marks)]);
    assertEquals(events.length, marks < 2 ? 1 : 0);
    const [line] = await collect(toLines, [text(marks)]);
    assertEquals(line?.data, marks < 2 ? "data: a" : "\ufeffdata: a");
  }
});

Deno.test("a byte order mark is removed in any pieces, and kept where a later piece starts with it", async () => {
  const bytes = utf8("\ufeffdata: a\ufeff\n\n");
  const each = Array.from(bytes, (byte) => Uint8Array.of(byte));
  const mark = bytes.length - 5;
  const cuts = [each, [bytes.subarray(0, 3), bytes.subarray(3)], [
    bytes.subarray(0, mark),
    bytes.subarray(mark),
  ]];
  for (const chunks of cuts) {
    const [event] = await collect(toServerSentEvents, chunks);
    assertEquals(event?.data, "a\ufeff");
    const [line] = await collect(toLines, chunks);
    assertEquals(line?.data, "data: a\ufeff");
  }
});

Deno.test("toServerSentEvents() gives the first event as much room as any other", async () => {
  const event = utf8(`data: ${"x".repeat(99)}\n\n`);
  const events = await Array.fromAsync(toServerSentEvents(reused([event, event]), 100));
  assertEquals(events.map(({ data }) => data.length), [99, 99]);
});

const MANY_LINES = [
  { name: "short lines", line: "data: x\n", most: 50 },
  { name: "lines without a colon", line: "data\n", most: 101 },
  { name: "empty lines", line: "data:\r\n", most: 101 },
];

for (const { name, line, most } of MANY_LINES) {
  Deno.test(`toServerSentEvents() counts the ${name} of one event together`, async () => {
    for (const perChunk of [1, 7, 1000]) {
      const read = (lines: number): Promise<StreamEvent[]> => {
        const text = `${line.repeat(lines)}: a comment and other fields do not count\nid: 1\n\n`;
        const bytes = utf8(`data: first\n\n${text}${text}`);
        const places = Array.from({ length: 1000 / perChunk }, (_, at) => at * perChunk);
        return Array.fromAsync(toServerSentEvents(reused(cut(bytes, places)), 100));
      };
      assertEquals((await read(most)).map(({ data }) => data.split("\n").length), [1, most, most]);
      const { code } = await assertRejects(() => read(most + 1), ProxyError);
      assertEquals(code, "http_response_body_size");
    }
  });
}

for (const end of ["\n", "\r\n", ""]) {
  Deno.test(`toLines() fails for a line that is too long before ${JSON.stringify(end)}, however it is cut`, async () => {
    for (const perChunk of [1, 7, 1000]) {
      const read = (length: number): Promise<StreamEvent[]> => {
        const bytes = utf8(`a\n${"x".repeat(length)}${end}`);
        const places = Array.from({ length: 120 / perChunk }, (_, at) => at * perChunk);
        return Array.fromAsync(toLines(reused(cut(bytes, places)), 100));
      };
      assertEquals((await read(100)).map(({ data }) => data.length), [1, 100]);
      const first = cut(utf8(`${"x".repeat(100)}${end}`), [7, 50]);
      const [line] = await Array.fromAsync(toLines(reused(first), 100));
      assertEquals(line?.data.length, 100);
      const { code } = await assertRejects(() => read(101), ProxyError);
      assertEquals(code, "http_response_body_size");
    }
  });
}

Deno.test("toLines() returns the text between LF and CR LF", async () => {
  const texts = fc.array(fc.constantFrom("\n", "\r\n", "\r", "a", "\u20ac", " "));
  await fc.assert(fc.asyncProperty(texts, async (parts) => {
    const text = parts.join("");
    const expected = text.split(/\r?\n/);
    if (expected.at(-1) === "") expected.pop();
    const lines = await collect(toLines, [utf8(text)]);
    assertEquals(lines, expected.map((data) => ({ event: "line", data })));
  }));
});

const EVENTS: readonly { name: string; input: string; expected: StreamEvent[] }[] = [
  {
    name: "one space after the colon is left out, and no more",
    input: "data:a\n\ndata: a\n\ndata:  a\n\n",
    expected: [{ event: "message", data: "a" }, { event: "message", data: "a" }, {
      event: "message",
      data: " a",
    }],
  },
  {
    name: "an empty type is message, and the last type that is named wins",
    input: "event:\ndata: a\n\nevent: x\nevent: y\ndata: b\n\ndata: c\n\n",
    expected: [{ event: "message", data: "a" }, { event: "y", data: "b" }, {
      event: "message",
      data: "c",
    }],
  },
  {
    name: "an id holds until another is set, but none with a NUL",
    input: "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid: 3\n\ndata: c\n\nid:\ndata: d\n\n",
    expected: [
      { event: "message", data: "a", lastEventId: "1" },
      { event: "message", data: "b", lastEventId: "1" },
      { event: "message", data: "c", lastEventId: "3" },
      { event: "message", data: "d", lastEventId: "" },
    ],
  },
  {
    name: "a retry time of digits is returned once, also one that arrived without data",
    input: "retry: 7\n\nretry: 1e3\nretry: -1\ndata: a\n\ndata: b\n\n",
    expected: [{ event: "message", data: "a", retryMs: 7 }, { event: "message", data: "b" }],
  },
  {
    name: "a retry time has at most 15 digits",
    input: "retry: 999999999999999\ndata: a\n\nretry: 1000000000000000\ndata: b\n\n",
    expected: [
      { event: "message", data: "a", retryMs: 999_999_999_999_999 },
      { event: "message", data: "b" },
    ],
  },
  {
    name: "comments, other fields and types without data make no event",
    input: ": c\n\nfoo: bar\n\nevent: x\n\n\n\nDATA: a\n\n",
    expected: [],
  },
  {
    name: "an event that the end cuts off is dropped",
    input: "data: a\n: comment",
    expected: [],
  },
];

for (const { name, input, expected } of EVENTS) {
  Deno.test(`toServerSentEvents(): ${name}`, async () => {
    assertEquals(await collect(toServerSentEvents, [utf8(input)]), expected);
  });
}
