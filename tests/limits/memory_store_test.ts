import { assertEquals } from "@std/assert";
import { createMemoryStore } from "../../src/limits/memory_store.ts";
import { testStore } from "./store_contract.ts";

const HOUR_MS = 3_600_000;

/** Moves the date, which the windows of a memory store use, until it is disposed of. */
function moveDate(): { readonly advance: (ms: number) => void } & Disposable {
  const { now } = Date;
  let movedMs = 0;
  const startedAt = now();
  Date.now = (): number => startedAt + movedMs;
  return {
    advance: (ms) => movedMs += ms,
    [Symbol.dispose]: () => Date.now = now,
  };
}

testStore("createMemoryStore()", () => ({ ...moveDate(), create: createMemoryStore }));

Deno.test("createMemoryStore() does not share counts with another store", async () => {
  using store = createMemoryStore({ points: 1, durationMs: HOUR_MS });
  using other = createMemoryStore({ points: 1, durationMs: HOUR_MS });
  await store.consume("a", 2);
  assertEquals((await store.peek("a")).allowed, false);
  assertEquals(await other.consume("a", 1), { allowed: true, retryAfterMs: 0 });
});

Deno.test("createMemoryStore() counts nothing after it was disposed of, and starts no timer", {
  sanitizeOps: true,
}, async () => {
  const store = createMemoryStore({ points: 1, durationMs: HOUR_MS, burst: 1 });
  await store.consume("a", 3);
  store[Symbol.dispose]();
  assertEquals(await store.consume("a", 3), { allowed: true, retryAfterMs: 0 });
  assertEquals(await store.peek("a"), { allowed: true, retryAfterMs: 0 });
});

Deno.test("createMemoryStore() never asks to wait longer than a window, even if the date is set back", async () => {
  using date = moveDate();
  using store = createMemoryStore({ points: 1, durationMs: 1000, burst: 1, burstMs: 2000 });
  await store.consume("a", 3);
  date.advance(-HOUR_MS);
  assertEquals(await store.peek("a"), { allowed: false, retryAfterMs: 2000 });
  assertEquals(await store.consume("a", 1), { allowed: false, retryAfterMs: 2000 });
});

Deno.test("createMemoryStore() ends a window by the date, even before its timer has run", async () => {
  using date = moveDate();
  using store = createMemoryStore({ points: 1, durationMs: HOUR_MS });
  await store.consume("a", 3);
  date.advance(HOUR_MS);
  assertEquals(await store.peek("a"), { allowed: true, retryAfterMs: 0 });
  assertEquals(await store.consume("a", 1), { allowed: true, retryAfterMs: 0 });
  assertEquals((await store.peek("a")).allowed, false);
});

Deno.test("createMemoryStore() needs no permission, and does not keep the process alive", async () => {
  const { href } = new URL("../../src/limits/memory_store.ts", import.meta.url);
  const script = `
    import { createMemoryStore } from ${JSON.stringify(href)};
    const store = createMemoryStore({ points: 1, durationMs: ${HOUR_MS}, burst: 1 });
    await store.consume("a", 3);
    console.log(JSON.stringify(await store.peek("a")));`;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--ext=ts", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    signal: AbortSignal.timeout(30_000),
  }).spawn();
  await new Blob([script]).stream().pipeTo(process.stdin);
  const { code, stdout } = await process.output();
  assertEquals(code, 0);
  assertEquals(JSON.parse(new TextDecoder().decode(stdout)).allowed, false);
});
