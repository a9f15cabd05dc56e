import { assertEquals } from "@std/assert";
import { CONNECTION_BYTES, MemoryBudget } from "../../src/limits/memory_budget.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { createBench } from "../helpers/connection.ts";

const REQUEST = { type: "request", url: "http://a.example/" };

function createSmallBench(): ReturnType<typeof createBench> & { readonly budget: MemoryBudget } {
  const clock = createFakeClock();
  const budget = new MemoryBudget(1_000_000, clock);
  return { ...createBench({ clock, memory: budget }), budget };
}

function lastFrame({ webSocket }: ReturnType<typeof createBench>): Record<string, unknown> {
  return JSON.parse(String(webSocket.messages.at(-1)));
}

Deno.test("a connection counts itself and its exchanges until each has ended", async () => {
  const bench = createSmallBench();
  const { connection, budget } = bench;
  assertEquals(budget.keptBytes, CONNECTION_BYTES);
  const frame = JSON.stringify({ ...REQUEST, id: 1 });
  connection.receive(frame);
  const run = bench.run(0);
  assertEquals(run.exchange.memory?.keptBytes, frame.length + 24_576);
  connection.receive(`{"type":"cancel","id":1}`);
  await run.done;
  assertEquals(budget.keptBytes, CONNECTION_BYTES);
  connection.closed(1000);
  assertEquals(budget.keptBytes, CONNECTION_BYTES); // TCP has not ended
  connection.memory.close();
  assertEquals(budget.keptBytes, 0);
});

Deno.test("a connection counts a message that waits to be handled, and is busy meanwhile", () => {
  const { connection: { memory }, budget } = createSmallBench();
  budget.tick();
  memory.messageWaits(70_000);
  assertEquals(memory.heardAt, budget.ticks);
  assertEquals([budget.keptBytes, memory.isBusy], [CONNECTION_BYTES + 70_000, true]);
  memory.messageWaits(-70_000);
  assertEquals([budget.keptBytes, memory.isBusy], [CONNECTION_BYTES, false]);
});

Deno.test("a request whose frame does not fit is refused at once, with a time to wait", () => {
  const bench = createSmallBench();
  bench.connection.memory.account.keep(990_000);
  bench.receive({ ...REQUEST, id: 1 });
  const { code, sent, retryable, retryAfterMs } = lastFrame(bench);
  assertEquals([code, sent, retryable, retryAfterMs], ["proxy_overloaded", "no", true, 1000]);
  assertEquals(bench.budget.isOverloaded, true);
});

Deno.test("endLargest() fails the exchange that keeps the most", async () => {
  const bench = createSmallBench();
  bench.receive({ ...REQUEST, id: 1 });
  bench.receive({ ...REQUEST, id: 2 });
  bench.run(0).exchange.memory?.keep(1000);
  bench.connection.memory.endLargest();
  await bench.run(0).done;
  const { id, code } = lastFrame(bench);
  assertEquals([id, code, bench.webSocket.closes], [1, "proxy_overloaded", []]);
});

Deno.test("endLargest() ends a connection whose client does not read what is sent", () => {
  const bench = createSmallBench();
  bench.receive({ ...REQUEST, id: 1 });
  bench.connection.memory.account.setBuffered(100_000);
  bench.connection.memory.endLargest();
  assertEquals(bench.webSocket.closes, [4029, 1006]);
});

Deno.test("endForMemory() ends TCP, and the next connections of the identity have to wait", () => {
  const bench = createSmallBench();
  bench.connection.memory.endForMemory();
  assertEquals(bench.webSocket.closes, [1013, 1006]);
  assertEquals(bench.budget.penalties.toDelayMs("address:127.0.0.1"), 250);
});

Deno.test("a connection is heard with each message", () => {
  const { connection, budget, receive } = createSmallBench();
  assertEquals(connection.memory.heardAt, -1);
  budget.tick();
  receive({ type: "ping" });
  assertEquals(connection.memory.heardAt, 1);
});
