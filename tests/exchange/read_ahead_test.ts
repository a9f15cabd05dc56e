import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type ReadAhead, readAhead } from "../../src/exchange/read_ahead.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A body whose pieces are in the same memory, each until the next is asked for. */
interface Body extends AsyncIterable<Bytes> {
  /** How often a piece or the end has been asked for. */
  readonly asked: () => number;
  readonly hasEnded: () => boolean;
}

/** Creates a body of these pieces; the piece of an index arrives once what `wait` returns has fulfilled. */
function createBody(
  texts: readonly string[],
  wait: (index: number) => Promise<void> | undefined = () => undefined,
): Body {
  const memory = new Uint8Array(16);
  let asked = 0;
  let hasEnded = false;
  async function* chunks(): AsyncGenerator<Bytes> {
    try {
      for (const [index, text] of [...texts, undefined].entries()) {
        memory.fill(0x58);
        asked++;
        await wait(index);
        if (text === undefined) return;
        yield memory.subarray(0, new TextEncoder().encodeInto(text, memory).written);
      }
    } finally {
      memory.fill(0x58);
      hasEnded = true;
    }
  }
  return {
    asked: () => asked,
    hasEnded: () => hasEnded,
    [Symbol.asyncIterator]: () => chunks(),
  };
}

const textOf = (bytes: Bytes | undefined): string | undefined =>
  bytes && new TextDecoder().decode(bytes);

async function collect(chunks: AsyncIterable<Bytes>): Promise<string[]> {
  const texts: string[] = [];
  for await (const chunk of chunks) texts.push(new TextDecoder().decode(chunk));
  return texts;
}

/** Starts to read a body ahead, by a clock that stands still. */
function start(
  body: AsyncIterable<Bytes>,
  length: number,
): { readonly ahead: ReadAhead; readonly clock: FakeClock } {
  const clock = createFakeClock();
  return { ahead: readAhead(body, { length, clock }), clock };
}

/** Calls `whole()` of a body of which something is late, and lets its time pass. */
async function wholeOfLate(
  { ahead, clock }: ReturnType<typeof start>,
  body: Body,
  asked: number,
): Promise<Bytes | undefined> {
  const whole = ahead.whole();
  while (body.asked() < asked) await Promise.resolve();
  clock.advance(4);
  assertEquals(clock.delays, [5], "the time is not over");
  clock.advance(1);
  return await whole;
}

for (const texts of [["abcdef"], ["abc", "def"], [..."abcdef"], ["", "abcde", "", "f"]]) {
  Deno.test(`whole() returns a body that arrives as ${JSON.stringify(texts)}, to its end`, async () => {
    const body = createBody(texts);
    const { ahead, clock } = start(body, 6);
    assertEquals([textOf(await ahead.whole()), body.hasEnded()], ["abcdef", true]);
    assertEquals(clock.delays, [], "no timer is left");
  });
}

Deno.test("whole() returns nothing while a piece is late, and chunks() then returns all of them", async () => {
  const texts = ["ab", "cd", "ef", "gh"];
  for (const late of texts.keys()) {
    const gate = Promise.withResolvers<void>();
    const body = createBody(texts, (index) => index === late ? gate.promise : undefined);
    const bench = start(body, 8);
    assertEquals(await wholeOfLate(bench, body, late + 1), undefined);
    assertEquals(body.asked(), late + 1); // nothing after it is asked for
    const { ahead } = bench;
    gate.resolve();
    assertEquals(await collect(ahead.chunks()), texts);
    assertEquals(body.hasEnded(), true);
  }
});

Deno.test("whole() returns nothing of a body that is shorter than it should be", async () => {
  const { ahead } = start(createBody(["ab", "cd"]), 5);
  assertEquals(await ahead.whole(), undefined);
  assertEquals(await collect(ahead.chunks()), ["ab", "cd"]);
});

Deno.test("chunks() throws the error of a body that breaks off, after its pieces", async () => {
  const reason = new Error("broke off");
  for (const [at, expected] of [[0, []], [1, ["ab"]], [2, ["ab", "cd"]]] as const) {
    const body = createBody(["ab", "cd", "ef"], (index) => {
      return index === at ? Promise.reject(reason) : undefined;
    });
    const { ahead, clock } = start(body, 6);
    assertEquals([await ahead.whole(), clock.delays], [undefined, []]);
    const texts: string[] = [];
    const thrown = await assertRejects(async () => {
      for await (const chunk of ahead.chunks()) texts.push(new TextDecoder().decode(chunk));
    });
    assertStrictEquals(thrown, reason);
    assertEquals(texts, expected);
  }
});

Deno.test("whole() throws the error of a body that breaks off after its last byte", async () => {
  const reason = new Error("broke off");
  const body = createBody(["ab"], (index) => index === 1 ? Promise.reject(reason) : undefined);
  assertStrictEquals(await assertRejects(() => start(body, 2).ahead.whole()), reason);
});

Deno.test("chunks() ends the body when it is left early", async () => {
  for (const left of [0, 1, 2]) {
    const gate = Promise.withResolvers<void>();
    const body = createBody(
      ["ab", "cd", "ef", "gh"],
      (index) => index === 1 ? gate.promise : undefined,
    );
    const bench = start(body, 8);
    assertEquals(await wholeOfLate(bench, body, 2), undefined);
    const { ahead } = bench;
    gate.resolve();
    let taken = 0;
    for await (const _ of ahead.chunks()) if (taken++ === left) break;
    assertEquals([taken, body.hasEnded()], [left + 1, true]);
  }
});

Deno.test("whole() waits for the end of a body, and no longer for its bytes, once all have arrived", async () => {
  const gate = Promise.withResolvers<void>();
  const body = createBody(["abcdef"], (index) => index === 1 ? gate.promise : undefined);
  const { ahead, clock } = start(body, 6);
  const whole = ahead.whole();
  while (body.asked() < 2) await Promise.resolve();
  clock.advance(1000);
  gate.resolve();
  assertEquals([textOf(await whole), body.hasEnded()], ["abcdef", true]);
});
