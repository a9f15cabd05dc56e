import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { readAhead } from "../../src/connection/read_ahead.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A body whose pieces stand in the same memory, each until the next is asked for. */
interface Body extends AsyncIterable<Bytes> {
  /** How often a piece or the end has been asked for. */
  readonly asked: () => number;
  readonly hasEnded: () => boolean;
}

/** Creates a body of these pieces; `wait` says what is waited for before the piece of an index comes. */
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

for (const texts of [["abcdef"], ["abc", "def"], [..."abcdef"], ["", "abcde", "", "f"]]) {
  Deno.test(`whole() gives a body that comes as ${JSON.stringify(texts)}, to its end`, async () => {
    const body = createBody(texts);
    const ahead = readAhead(body, 6);
    assertEquals([textOf(await ahead.whole()), body.hasEnded()], ["abcdef", true]);
  });
}

Deno.test("whole() gives nothing while a piece is late, and chunks() then gives all of them", async () => {
  const texts = ["ab", "cd", "ef", "gh"];
  for (const late of texts.keys()) {
    const gate = Promise.withResolvers<void>();
    const body = createBody(texts, (index) => index === late ? gate.promise : undefined);
    const ahead = readAhead(body, 8);
    assertEquals(await ahead.whole(), undefined);
    assertEquals(body.asked(), late + 1); // nothing behind it is asked for
    gate.resolve();
    assertEquals(await collect(ahead.chunks()), texts);
    assertEquals(body.hasEnded(), true);
  }
});

Deno.test("whole() gives nothing of a body that is shorter than it should be", async () => {
  const ahead = readAhead(createBody(["ab", "cd"]), 5);
  assertEquals(await ahead.whole(), undefined);
  assertEquals(await collect(ahead.chunks()), ["ab", "cd"]);
});

Deno.test("chunks() throws what a body broke off with, behind its pieces", async () => {
  const reason = new Error("broke off");
  for (const [at, expected] of [[0, []], [1, ["ab"]], [2, ["ab", "cd"]]] as const) {
    const body = createBody(["ab", "cd", "ef"], (index) => {
      return index === at ? Promise.reject(reason) : undefined;
    });
    const ahead = readAhead(body, 6);
    assertEquals(await ahead.whole(), undefined);
    const texts: string[] = [];
    const thrown = await assertRejects(async () => {
      for await (const chunk of ahead.chunks()) texts.push(new TextDecoder().decode(chunk));
    });
    assertStrictEquals(thrown, reason);
    assertEquals(texts, expected);
  }
});

Deno.test("whole() throws what a body broke off with behind its last byte", async () => {
  const reason = new Error("broke off");
  const body = createBody(["ab"], (index) => index === 1 ? Promise.reject(reason) : undefined);
  assertStrictEquals(await assertRejects(() => readAhead(body, 2).whole()), reason);
});

Deno.test("chunks() lets go of the body when it is left early", async () => {
  for (const left of [0, 1, 2]) {
    const gate = Promise.withResolvers<void>();
    const body = createBody(
      ["ab", "cd", "ef", "gh"],
      (index) => index === 1 ? gate.promise : undefined,
    );
    const ahead = readAhead(body, 8);
    assertEquals(await ahead.whole(), undefined);
    gate.resolve();
    let taken = 0;
    for await (const _ of ahead.chunks()) if (taken++ === left) break;
    assertEquals([taken, body.hasEnded()], [left + 1, true]);
  }
});
