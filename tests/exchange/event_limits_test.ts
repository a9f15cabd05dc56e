/**
 * What events and lines may cost: bytes, memory that all streams share, and time on the event loop.
 */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  type StreamEvent,
  type ToEvents,
  toLines,
  toServerSentEvents,
} from "../../src/exchange/events.ts";
import type { KeptBytes } from "../../src/http/kept_bytes.ts";
import { ProxyError } from "../../src/protocol/mod.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const FREE_BYTES = 16_384;

const utf8 = (text: string): Bytes => new TextEncoder().encode(text);

/** Returns bytes in chunks of this size. */
async function* cut(bytes: Bytes, size: number): AsyncGenerator<Bytes> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.slice(at, at + size);
}

/** Reads all events of a text, in chunks of this size. */
async function read(
  toEvents: ToEvents,
  text: string,
  { size, maxBytes = 100 }: { readonly size: number; readonly maxBytes?: number },
): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of toEvents(cut(utf8(text), size), maxBytes)) {
    events.push({ ...event }); // with its data, as long as it is valid
  }
  return events;
}

const FITTING: readonly {
  name: string;
  toEvents: ToEvents;
  fits: string;
  error?: string;
  longer: string;
}[] = [
  {
    name: "a line",
    toEvents: toLines,
    fits: `${"é".repeat(50)}\n`,
    longer: `${"é".repeat(50)}x\n`,
  },
  {
    name: "a line that a CR LF ends",
    toEvents: toLines,
    fits: `${"é".repeat(50)}\r\n`,
    longer: `${"é".repeat(50)}\r\r\n`,
  },
  {
    name: "a last line",
    toEvents: toLines,
    fits: `${"é".repeat(49)}x\r`,
    longer: `${"é".repeat(50)}\r`,
  },
  {
    name: "data",
    toEvents: toServerSentEvents,
    fits: `data: ${"é".repeat(50)}\n\n`,
    longer: `data: ${"é".repeat(50)}x\n\n`,
  },
  {
    name: "lines of data, with the LF between them",
    toEvents: toServerSentEvents,
    fits: `data:${"é".repeat(25)}\r\ndata: ${"é".repeat(24)}x\r\n\r\n`,
    longer: `data:${"é".repeat(25)}\r\ndata: ${"é".repeat(25)}\r\n\r\n`,
  },
  {
    name: "a type",
    toEvents: toServerSentEvents,
    fits: `event: ${"é".repeat(50)}\ndata\n\n`,
    longer: `event: ${"é".repeat(50)}x\ndata\n\n`,
  },
  {
    name: "an id",
    toEvents: toServerSentEvents,
    fits: `id: ${"é".repeat(50)}\ndata\n\n`,
    longer: `id: ${"é".repeat(50)}x\ndata\n\n`,
    error: 'A field "id" of the response is larger than 100 bytes',
  },
  {
    name: "a comment",
    toEvents: toServerSentEvents,
    fits: `:${"é".repeat(53)}\ndata\n\n`,
    longer: `:${"é".repeat(53)}x\ndata\n\n`,
  },
];

for (const { name, toEvents, fits, longer, error } of FITTING) {
  Deno.test(`${toEvents.name}() allows ${name} of all bytes that are allowed, and no more`, async () => {
    for (const size of [1, 7, 1000]) {
      assertEquals((await read(toEvents, fits, { size })).length, 1);
      const thrown = await assertRejects(() => read(toEvents, longer, { size }), ProxyError);
      assertEquals(thrown.code, "http_response_body_size");
      assertEquals(
        thrown.message,
        error ?? "An event of the response is larger than 100 bytes",
      );
    }
  });
}

Deno.test("toServerSentEvents() allows types and ids of 64 KiB, whatever the size of an event", async () => {
  const options = { size: 30_000, maxBytes: 1_000_000 };
  for (const field of ["id", "event"]) {
    const text = (bytes: number): string => `${field}: ${"x".repeat(bytes)}\ndata: a\n\n`;
    const [event] = await read(toServerSentEvents, text(65_536), options);
    assertEquals((field === "id" ? event?.lastEventId : event?.event)?.length, 65_536);
    await assertRejects(() => read(toServerSentEvents, text(65_537), options), ProxyError);
  }
});

Deno.test("toServerSentEvents() ignores a retry time of many digits", async () => {
  const events = await read(toServerSentEvents, `retry: ${"1".repeat(90)}\ndata\n\n`, { size: 9 });
  assertEquals(events, [{ event: "message", data: "" }]);
});

for (const toEvents of [toServerSentEvents, toLines]) {
  const end = toEvents === toLines ? "\n" : "\n\n";
  const prefix = toEvents === toLines ? "" : "data:";

  Deno.test(`${toEvents.name}() returns a long text as bytes that are decoded when it is read`, async () => {
    const text = "\u6f22".repeat(10_000);
    for (const size of [1000, 100_000]) {
      const seen: unknown[] = [];
      const stream = utf8(`${prefix}${text}${end}${prefix}short${end}`);
      for await (const event of toEvents(cut(stream, size), 30_000)) {
        const isRead = "get" in (Object.getOwnPropertyDescriptor(event, "data") ?? {});
        seen.push([isRead, event.dataBytes?.byteLength, event.data === text]);
      }
      assertEquals(seen, [[true, 30_000, true], [false, undefined, false]]);
    }
  });
}

/** Memory that counts what is taken of it. */
function createMemory(
  take: (bytes: number) => void | Promise<void> = () => {},
): KeptBytes & { readonly held: () => number; readonly most: () => number } {
  let held = 0;
  let most = 0;
  const add = (bytes: number): void => {
    held += bytes;
    most = Math.max(most, held);
  };
  return {
    held: () => held,
    most: () => most,
    take(bytes): void | Promise<void> {
      const taking = take(bytes);
      return taking === undefined ? add(bytes) : taking.then(() => add(bytes));
    },
    give(bytes): void {
      held -= bytes;
    },
  };
}

const LONG = "x".repeat(200_000);

const STREAMS: readonly { name: string; toEvents: ToEvents; text: string; last: string }[] = [
  { name: "a long line", toEvents: toLines, text: `${LONG}\n`, last: "a\n" },
  { name: "long data", toEvents: toServerSentEvents, text: `data: ${LONG}\n\n`, last: "data\n\n" },
  {
    name: "data in many lines",
    toEvents: toServerSentEvents,
    text: `${`data: ${LONG.slice(0, 999)}\n`.repeat(200)}\n`,
    last: "data\n\n",
  },
  { name: "a long comment", toEvents: toServerSentEvents, text: `:${LONG}\n`, last: "data\n\n" },
];

for (const { name, toEvents, text, last } of STREAMS) {
  Deno.test(`${toEvents.name}() takes memory for ${name} before it keeps it, and gives it back after`, async () => {
    const memory = createMemory();
    let fed = 0;
    async function* chunks(): AsyncGenerator<Bytes> {
      for await (const chunk of cut(utf8(text), 1400)) {
        assert(memory.held() >= fed - FREE_BYTES - 1400, "what is kept was taken");
        assert(memory.held() <= 2 * fed, "no more than twice of what is kept");
        fed += chunk.byteLength;
        yield chunk;
      }
      yield utf8(last);
      assertEquals(memory.held(), 0, "given back as soon as the next event is asked for");
    }
    for await (const _event of toEvents(chunks(), 300_000, { memory })) { /* all of them */ }
    assert(memory.most() >= 180_000);
  });

  Deno.test(`${toEvents.name}() gives memory for ${name} back when the stream breaks off or is left`, async () => {
    const half = utf8(text.slice(0, 100_000));
    for (const isLeft of [true, false]) {
      const memory = createMemory();
      const reason = new Error("broke off");
      const chunks = (async function* (): AsyncGenerator<Bytes> {
        yield utf8(last);
        yield half;
        assert(memory.held() > 0);
        if (isLeft) yield utf8(`\n\n${last}`);
        throw reason;
      })();
      const reading = (async () => {
        let seen = 0;
        for await (const _event of toEvents(chunks, 300_000, { memory })) {
          if (++seen === 2) return;
        }
      })();
      if (isLeft) await reading;
      else assertStrictEquals(await assertRejects(() => reading), reason);
      assertEquals(memory.held(), 0);
    }
  });

  Deno.test(`${toEvents.name}() waits for memory for ${name}, and fails if there is none`, async () => {
    const stream = (): AsyncIterable<Bytes> => cut(utf8(text + last), 1400);
    const turns = createMemory(() => new Promise((resolve) => setTimeout(resolve)));
    const lengths = async (memory?: KeptBytes): Promise<number[]> => {
      const all: number[] = [];
      for await (const { data } of toEvents(stream(), 300_000, memory && { memory })) {
        all.push(data.length);
      }
      return all;
    };
    assertEquals(await lengths(turns), await lengths());
    assertEquals(turns.held(), 0);
    const error = new ProxyError("proxy_internal_error", "There is no memory");
    const refusing = createMemory((bytes) => {
      if (bytes > 50_000) throw error;
    });
    assertStrictEquals(await assertRejects(() => lengths(refusing)), error);
    assertEquals(refusing.held(), 0);
  });
}

// Cost of 1 MiB is some 2 ms of work.
const FLOODS: readonly { name: string; toEvents: ToEvents; text: string; leastCost: number }[] = [
  {
    name: "data: lines without an end",
    toEvents: toServerSentEvents,
    text: "data:\n",
    leastCost: 6_000_000,
  },
  { name: "empty lines", toEvents: toServerSentEvents, text: "\n", leastCost: 30_000_000 },
  { name: "comments", toEvents: toServerSentEvents, text: ":\n", leastCost: 15_000_000 },
  { name: "events", toEvents: toServerSentEvents, text: "data\n\n", leastCost: 300_000_000 },
  { name: "empty lines", toEvents: toLines, text: "\n", leastCost: 2_000_000_000 },
  { name: "a line without an end", toEvents: toLines, text: "x", leastCost: 1_000_000 },
];

for (const { name, toEvents, text, leastCost } of FLOODS) {
  Deno.test(`${toEvents.name}() takes turns while it parses ${name}`, async () => {
    const stream = utf8(text.repeat(1_048_576 / text.length));
    let cost = 0;
    let waiting = 0;
    const turns = {
      take(more: number): Promise<void> {
        assert(more <= 1_048_576, "no step takes longer than 2 ms");
        cost += more;
        waiting++;
        return Promise.resolve().then(() => void waiting--);
      },
    };
    for await (const _event of toEvents(cut(stream, 100_000), 2_000_000, { turns })) {
      assertEquals(waiting, 0);
    }
    assert(cost > leastCost, `${cost}`);
  });
}

Deno.test("toLines() takes turns while it reads chunks of one byte", async () => {
  let cost = 0;
  const turns = { take: (more: number): undefined => void (cost += more) };
  for await (const _event of toLines(cut(utf8("x".repeat(10_000)), 1), 20_000, { turns })) { /**/ }
  assert(cost > 5_000_000, `${cost}`);
});

Deno.test("toServerSentEvents() counts the id that every event repeats", async () => {
  let cost = 0;
  const turns = { take: (more: number): undefined => void (cost += more) };
  const stream = utf8(`id: ${"x".repeat(60_000)}\n${"data\n\n".repeat(1000)}`);
  for await (const _ of toServerSentEvents(cut(stream, 1000), 100_000, { turns })) { /**/ }
  assert(cost > 60_000_000, `${cost}`);
});
