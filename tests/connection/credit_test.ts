import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Credit } from "../../src/connection/credit.ts";

Deno.test("take() returns what there is at once, up to what is asked for", () => {
  const credit = new Credit(10);
  assertEquals([credit.take(4), credit.take(100)], [4, 6]);
});

Deno.test("take() waits for a grant, and takes no more of it than was asked for", async () => {
  const credit = new Credit(0);
  const taking = credit.take(4);
  assert(taking instanceof Promise);
  credit.grant(7);
  assertEquals(await taking, 4);
  assertEquals(credit.take(4), 3);
  assert(credit.take(1) instanceof Promise);
});

Deno.test("take() takes a grant that is smaller than what was asked for", async () => {
  const credit = new Credit(0);
  const taking = credit.take(4);
  credit.grant(1);
  assertEquals(await taking, 1);
});

Deno.test("grant() adds up while no call waits", () => {
  const credit = new Credit(1);
  credit.grant(2);
  credit.grant(3);
  assertEquals(credit.take(100), 6);
});

Deno.test("grant() counts a grant once that arrives just after the one that was waited for", async () => {
  const credit = new Credit(0);
  const taking = credit.take(10);
  credit.grant(4);
  credit.grant(5);
  assertEquals([await taking, credit.take(10)], [4, 5]);
});

Deno.test("close() ends a wait with 0, and every later one, whatever is granted", async () => {
  const credit = new Credit(0);
  const taking = credit.take(4);
  credit.close();
  assertEquals(await taking, 0);
  credit.grant(10);
  assertEquals([credit.take(4), credit.take(4)], [0, 0]);
});

Deno.test("close() takes away the credit that is left, and may be called twice", () => {
  const credit = new Credit(Infinity);
  credit.close();
  credit.close();
  assertEquals(credit.take(4), 0);
});

Deno.test("a credit of Infinity is never used up", () => {
  const credit = new Credit(Infinity);
  credit.grant(Number.MAX_SAFE_INTEGER);
  for (let count = 0; count < 3; count++) {
    assertEquals(credit.take(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
  }
});

Deno.test("grant() stays finite and usable, however much is granted", () => {
  const credit = new Credit(Number.MAX_SAFE_INTEGER);
  for (let count = 0; count < 1000; count++) credit.grant(Number.MAX_SAFE_INTEGER);
  for (let count = 0; count < 1000; count++) assertEquals(credit.take(65_536), 65_536);
  const left = Number.MAX_SAFE_INTEGER - 1000 * 65_536;
  assertEquals(credit.take(Infinity), left, "beyond what can be counted, grants are ignored");
});

Deno.test("take() never returns more than was granted, and in the end all of it", async () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ grant: fc.integer({ min: 1, max: 1000 }) }),
      fc.record({ take: fc.integer({ min: 1, max: 1000 }) }),
    ),
  );
  await fc.assert(fc.asyncProperty(fc.nat(1000), steps, async (start, steps) => {
    const credit = new Credit(start);
    let granted = start;
    let taken = 0;
    let waiting: Promise<number> | undefined;
    for (const step of steps) {
      if ("grant" in step) {
        granted += step.grant;
        credit.grant(step.grant);
        taken += await waiting ?? 0;
        waiting = undefined;
      } else if (waiting === undefined) { // an exchange takes for one chunk at a time
        const taking = credit.take(step.take);
        if (typeof taking === "number") {
          assert(taking >= 1 && taking <= step.take);
          taken += taking;
        } else {
          assertEquals(taken, granted, "it waits only for want of credit");
          waiting = taking;
        }
      }
      assert(taken <= granted);
    }
    credit.close();
    assertEquals(await waiting ?? 0, 0);
  }));
});
