import { assertEquals } from "@std/assert";
import { FrameMemory } from "../../src/exchange/frame_memory.ts";
import { CONNECTION_BYTES, MemoryBudget } from "../../src/limits/memory_budget.ts";
import { createFakeClock } from "../helpers/clock.ts";

const KIB = 1024;
const MAX_BYTES = 12_000 * KIB;
// What the body and its frame take before the window grows, and whether the window then waits for memory.
const BODIES: readonly { name: string; taken: readonly number[]; waits: boolean }[] = [
  { name: "a short body", taken: [200 * KIB], waits: true },
  { name: "a long body that took its memory at once", taken: [300 * KIB], waits: false },
  { name: "a long body that was short at first", taken: [200 * KIB, 100 * KIB], waits: false },
];

for (const { name, taken, waits } of BODIES) {
  Deno.test(`a decoder's window ${waits ? "waits" : "does not wait"} for memory: ${name}`, () => {
    const budget = new MemoryBudget(MAX_BYTES, createFakeClock());
    const owner = { endLargest: () => {}, readBuffered: () => 0 };
    const hold = budget.openAccount("a", owner).hold(0);
    const memory = new FrameMemory(hold, 8 * 1024 * 1024);
    for (const bytes of taken) assertEquals(memory.take(bytes), undefined);
    budget.openAccount("b", owner).keep(MAX_BYTES - budget.keptBytes - CONNECTION_BYTES);
    const waiting = memory.take(64 * KIB, true);
    waiting?.catch(() => {});
    assertEquals(waiting !== undefined, waits);
    hold.release();
  });
}
