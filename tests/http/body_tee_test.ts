import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { type Body, type Bytes, teeBody } from "../../src/http/body.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { latin1 } from "../helpers/upstream.ts";
import { fakeBody, readTexts, textOf } from "./fake_body.ts";

/** One of the two bodies, read step by step. */
interface Reader {
  /** Requests the next chunk; `undefined` is the end. */
  next(): Promise<string | undefined>;
  leave(): Promise<unknown>;
}

function readerOf(body: Body, maxBytes = Infinity): Reader {
  const iterator = body.chunks(maxBytes)[Symbol.asyncIterator]();
  return {
    async next(): Promise<string | undefined> {
      const { done, value } = await iterator.next();
      return done === true ? undefined : textOf(value);
    },
    leave: async () => await iterator.return?.(),
  };
}

/** Waits until everything that is ready has run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Returns whether a promise is settled once everything that is ready has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => void (settled = true);
  promise.then(settle, settle);
  await turn();
  return settled;
}

Deno.test("teeBody() returns two bodies of the same length, that are not here", () => {
  for (const length of [3, undefined]) {
    const [a, b] = teeBody(fakeBody(["abc"], { ...(length && { length }), isHere: true }).body);
    assertEquals([a.length, a.isHere, b.length, b.isHere], [length, false, length, false]);
  }
});

Deno.test("teeBody() reads nothing before a chunk is requested, and then one at a time", async () => {
  const fake = fakeBody(["ab", "cd", "ef"]);
  const [a, b] = teeBody(fake.body).map((body) => readerOf(body)) as [Reader, Reader];
  await turn();
  assertEquals(fake.reads(), 0);
  assertEquals([await a.next(), fake.reads()], ["ab", 1]);
  assertEquals([await b.next(), fake.reads()], ["ab", 1]);
  assertEquals([await b.next(), fake.reads()], ["cd", 2]);
  await turn();
  assertEquals(fake.reads(), 2);
  assertEquals(fake.limits(), [Infinity]);
});

Deno.test("teeBody() makes the faster reader wait until the slower one has requested the same chunk", async () => {
  const fake = fakeBody(["ab", "cd", "ef"]);
  for (const isSwapped of [false, true]) {
    const bodies = teeBody(isSwapped ? fakeBody(["ab", "cd", "ef"]).body : fake.body);
    const readers = bodies.map((body) => readerOf(body));
    const [fast, slow] = (isSwapped ? readers.toReversed() : readers) as [Reader, Reader];
    assertEquals(await fast.next(), "ab");
    const second = fast.next();
    assertEquals(await isSettled(second), false);
    assertEquals(await slow.next(), "ab");
    assertEquals(await second, "cd");
    const third = fast.next();
    assertEquals(await isSettled(third), false);
    assertEquals(await slow.next(), "cd");
    assertEquals(await third, "ef");
    const end = fast.next();
    assertEquals(await isSettled(end), false);
    assertEquals([await slow.next(), await end, await slow.next()], ["ef", undefined, undefined]);
  }
});

Deno.test("teeBody() reads a chunk once, when both request it at the same time", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const fake = fakeBody([promise, "ab", "cd"]);
  const [a, b] = teeBody(fake.body).map((body) => readerOf(body)) as [Reader, Reader];
  const both = Promise.all([a.next(), b.next()]);
  resolve();
  assertEquals([await both, fake.reads()], [["ab", "ab"], 1]);
});

Deno.test("teeBody() copies chunks, which are valid only until the next is requested", async () => {
  const fake = fakeBody(["ab", "cd"]);
  const [a, b] = teeBody(fake.body);
  const ahead = a.chunks(9)[Symbol.asyncIterator]();
  const behind = b.chunks(9)[Symbol.asyncIterator]();
  const first = await ahead.next();
  await behind.next();
  await ahead.next();
  assertEquals(textOf(first.value ?? new Uint8Array()), "ab");
});

Deno.test("bytes() of both bodies return everything", async () => {
  const [a, b] = teeBody(fakeBody(["ab", "", "cde"]).body);
  const [first, second] = await Promise.all([a.bytes(5), b.bytes(5)]);
  assertEquals([first, second], [latin1("abcde"), latin1("abcde")]);
});

type Leave = (body: Body, reader: Reader) => unknown;

const LEAVINGS: readonly { name: string; leave: Leave }[] = [
  { name: "is discarded", leave: (body) => body.discard() },
  { name: "is left early", leave: (_, reader) => reader.leave() },
  {
    name: "is left early and discarded",
    leave: async (body, reader): Promise<void> => {
      await reader.leave();
      body.discard();
    },
  },
];

for (const { name, leave } of LEAVINGS) {
  Deno.test(`teeBody() lets one body continue when the other ${name}, at any chunk`, async () => {
    for (const side of [0, 1] as const) {
      // An iteration that has not begun cannot be left: its generator runs no code then.
      for (const taken of name === "is discarded" ? [0, 1, 2, 3] : [1, 2, 3]) {
        const fake = fakeBody(["ab", "cd", "ef"]);
        const bodies = teeBody(fake.body);
        const leaving = bodies[side];
        const staying = bodies[side === 0 ? 1 : 0];
        const [leaver, stayer] = [readerOf(leaving), readerOf(staying)];
        const texts: (string | undefined)[] = [];
        for (let at = 0; at < taken; at++) {
          await leaver.next();
          texts.push(await stayer.next());
        }
        await leave(leaving, leaver);
        for (let at = taken; at < 3; at++) texts.push(await stayer.next());
        assertEquals([texts, await stayer.next()], [["ab", "cd", "ef"], undefined]);
        assertEquals(await readTexts(leaving.chunks(9)), []);
      }
    }
  });
}

Deno.test("teeBody() lets the faster body continue when the slower one, for which it waits, is discarded", async () => {
  const fake = fakeBody(["ab", "cd"]);
  const [slow, fast] = teeBody(fake.body);
  const reader = readerOf(fast);
  await reader.next();
  const waiting = reader.next();
  assertEquals(await isSettled(waiting), false);
  slow.discard();
  assertEquals([await waiting, await reader.next(), fake.discards()], ["cd", undefined, 1]);
});

Deno.test("teeBody() ends the faster body when it is discarded while it waits, and reads no further chunk for it", async () => {
  const fake = fakeBody(["ab", "cd", "ef"]);
  const [fast, slow] = teeBody(fake.body);
  const [ahead, behind] = [readerOf(fast), readerOf(slow)];
  await ahead.next();
  const waiting = ahead.next();
  fast.discard();
  assertEquals(await waiting, undefined);
  assertEquals([await behind.next(), fake.reads()], ["ab", 1]);
  assertEquals([await behind.next(), await behind.next()], ["cd", "ef"]);
});

Deno.test("teeBody() discards the original when both bodies are discarded, once", async () => {
  const unread = fakeBody(["ab"]);
  const [a, b] = teeBody(unread.body);
  a.discard();
  a.discard();
  assertEquals(unread.discards(), 0);
  b.discard();
  b.discard();
  a.discard();
  assertEquals([unread.discards(), unread.reads()], [1, 0]);

  const half = fakeBody(["ab", "cd"]);
  const [c, d] = teeBody(half.body);
  const [first, second] = [readerOf(c), readerOf(d)];
  await Promise.all([first.next(), second.next()]);
  await first.leave();
  assertEquals([half.discards(), half.isLeft()], [0, false]);
  d.discard();
  await turn();
  assertEquals([half.discards(), half.isLeft()], [1, true]);
});

Deno.test("teeBody() leaves the original's iteration when both bodies are discarded while a chunk is awaited", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const fake = fakeBody(["ab", promise, "cd"]);
  const [a, b] = teeBody(fake.body);
  const [first, second] = [readerOf(a), readerOf(b)];
  await Promise.all([first.next(), second.next()]);
  const waiting = first.next();
  a.discard();
  b.discard();
  assertEquals(fake.discards(), 1);
  resolve();
  await waiting;
  await turn();
  assertEquals(fake.isLeft(), true);
});

Deno.test("teeBody() tells both bodies of an error, each in its turn", async () => {
  const broken = new Error("broken");
  const [a, b] = teeBody(fakeBody(["ab", broken]).body);
  const [first, second] = [readerOf(a), readerOf(b)];
  assertEquals([await first.next(), await second.next()], ["ab", "ab"]);
  assertStrictEquals(await assertRejects(() => first.next()), broken);
  await turn(); // the rejection must not count as unhandled meanwhile
  assertStrictEquals(await assertRejects(() => second.next()), broken);

  const [c, d] = teeBody(fakeBody(["ab", broken]).body);
  const failures = await Promise.allSettled([c.bytes(9), d.bytes(9)]);
  assertEquals(failures.map((each) => each.status === "rejected" && each.reason), [broken, broken]);
});

Deno.test("teeBody() tells an error of the one body only, when the other is gone", async () => {
  const broken = new Error("broken");
  const fake = fakeBody(["ab", broken]);
  const [a, b] = teeBody(fake.body);
  a.discard();
  assertStrictEquals(await assertRejects(async () => await b.bytes(9)), broken);
  assertEquals(fake.discards(), 1);
});

Deno.test("teeBody() limits each body by itself, and one continues when the other is too large", async () => {
  const fake = fakeBody(["ab", "cd", "ef"]);
  const [a, b] = teeBody(fake.body);
  const [small, large] = await Promise.allSettled([a.bytes(3), b.bytes(6)]);
  const error: unknown = small.status === "rejected" && small.reason;
  const message = error instanceof ProxyError ? error.message : error;
  assertEquals(message, "The response body is larger than 3 bytes");
  assertEquals(large, { status: "fulfilled", value: latin1("abcdef") });
});

interface Step {
  readonly side: 0 | 1;
  readonly action: "request" | "leave" | "discard";
  /** What happens before the next step: nothing, the promises that are ready, or everything that is. */
  readonly pause: "none" | "microtask" | "turn";
}

const step: fc.Arbitrary<Step> = fc.record({
  side: fc.constantFrom(0, 1),
  action: fc.constantFrom(...Array(12).fill("request"), "leave", "discard"),
  pause: fc.constantFrom("none", "microtask", "turn"),
});

/** A body whose chunks take a number of microtasks to arrive, in memory that is reused. */
function slowBody(chunks: readonly { text: string; ticks: number }[], onRead: () => void): Body {
  async function* read(): AsyncGenerator<Bytes> {
    const memory = new Uint8Array(16);
    for (const { text, ticks } of chunks) {
      onRead();
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      memory.fill(0x3f);
      memory.set(latin1(text));
      yield memory.subarray(0, text.length);
    }
    onRead();
  }
  return {
    length: undefined,
    isHere: false,
    bytes: () => Promise.reject(new Error("Only chunks are read")),
    chunks: read,
    discard: () => {},
  };
}

Deno.test("teeBody() gives both readers all bytes in any interleaving, and is never ahead of both", async () => {
  const chunks = fc.array(
    fc.record({
      text: fc.stringMatching(/^[a-z]{0,4}$/),
      ticks: fc.constantFrom(0, 0, 1, 2, 5),
    }),
    { maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(chunks, fc.array(step, { maxLength: 40 }), async (parts, steps) => {
      const requested = [0, 0];
      let reads = 0;
      const body = slowBody(parts, () => {
        reads++;
        assert(reads <= Math.max(...requested), "nothing is read ahead");
      });
      const bodies = teeBody(body);
      const sides = bodies.map((body) => ({
        body,
        reader: readerOf(body),
        texts: [] as string[],
        requests: Promise.resolve(),
        hasEnded: false,
        isGone: false,
      }));

      function request(index: number): void {
        const side = sides[index];
        if (side === undefined) return;
        side.requests = side.requests.then(async () => {
          if (side.hasEnded) return;
          requested[index] = (requested[index] ?? 0) + 1;
          const text = await side.reader.next();
          if (text === undefined) side.hasEnded = true;
          else side.texts.push(text);
          const [a = 0, b = 0] = sides.map(({ texts }) => texts.length);
          if (sides.every(({ isGone }) => !isGone)) assert(Math.abs(a - b) <= 1, "one waits");
        });
      }

      for (const { side: index, action, pause } of steps) {
        const side = sides[index];
        if (side === undefined) continue;
        if (action === "request") request(index);
        else {
          side.isGone = true;
          if (action === "discard" || requested[index] === 0) side.body.discard();
          else side.reader.leave();
        }
        if (pause === "microtask") await Promise.resolve();
        if (pause === "turn") await turn();
      }
      for (let at = 0; at <= parts.length; at++) [0, 1].forEach(request);
      await Promise.all(sides.map(({ requests }) => requests));
      const expected = parts.map(({ text }) => text);
      for (const { texts, isGone } of sides) {
        if (isGone) assertEquals(texts, expected.slice(0, texts.length));
        else assertEquals(texts, expected);
      }
    }),
    { numRuns: 500 },
  );
});
