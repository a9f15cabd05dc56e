import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  EARNED_BY_EXCHANGE,
  FrameAllowance,
  PRICES,
} from "../../src/connection/frame_allowance.ts";
import { type Bench, createBench } from "../helpers/connection.ts";
import { createFakeClock } from "../helpers/clock.ts";
import { encodeChunk } from "../../src/protocol/mod.ts";

/** Returns how many times a price can be paid. */
function countAffordable(allowance: FrameAllowance, price: number): number {
  let count = 0;
  while (allowance.spend(price)) count++;
  return count;
}

Deno.test("FrameAllowance begins with points for the connection and for each exchange at a time", () => {
  for (const maxInFlight of [1, 64]) {
    const allowance = new FrameAllowance(maxInFlight, createFakeClock());
    assertEquals(countAffordable(allowance, 1), 8192 + 64 * maxInFlight);
  }
});

Deno.test("FrameAllowance refills 2,000 points a second, and never more than it began with", () => {
  const clock = createFakeClock();
  const allowance = new FrameAllowance(1, clock);
  countAffordable(allowance, 1);
  clock.advance(1000);
  assertEquals(
    countAffordable(allowance, 1),
    2000 - 1,
    "the last one that was refused is paid too",
  );
  clock.advance(1_000_000);
  assertEquals(countAffordable(allowance, 1), 8192 + 64);
});

Deno.test("FrameAllowance does not refill an account that was full", () => {
  const clock = createFakeClock();
  const allowance = new FrameAllowance(1, clock);
  clock.advance(1_000_000);
  assertEquals(countAffordable(allowance, 1), 8192 + 64);
});

Deno.test("FrameAllowance refills what was spent before a silence", () => {
  const clock = createFakeClock();
  const allowance = new FrameAllowance(1, clock);
  for (let count = 0; count < 1024; count++) allowance.spend(1);
  clock.advance(1_000_000);
  assertEquals(countAffordable(allowance, 1), 8192 + 64);
});

Deno.test("FrameAllowance counts bytes, which cost and earn a point for each 4 KiB", () => {
  const allowance = new FrameAllowance(0, createFakeClock());
  assertEquals(allowance.spend(8191, 4095), true);
  allowance.earn(1, 8192 + 4095);
  assertEquals(allowance.spend(1, 3 * 4096), true);
  assertEquals(allowance.spend(1), false);
});

Deno.test("FrameAllowance keeps no more than it began with", () => {
  const allowance = new FrameAllowance(0, createFakeClock());
  allowance.earn(1_000_000);
  assertEquals(countAffordable(allowance, 1), 8192);
});

const MAX = 8192 + 2 * 64;
const chunk = (id: number, length: number): ArrayBuffer =>
  encodeChunk({ id, fin: false, payload: new Uint8Array(length) }).buffer;

interface Needless {
  readonly name: string;
  readonly before?: (bench: Bench) => void;
  readonly send: (bench: Bench) => void;
  readonly points: number;
  readonly earned?: number;
}

const NEEDLESS: readonly Needless[] = [
  {
    name: "grants for no exchange",
    send: ({ receive }) => receive({ type: "grant", id: 9, bytes: 1 }),
    points: PRICES.frame,
  },
  {
    name: "grants that nothing was sent for",
    before: ({ request }) => request(1, { stream: true, windowBytes: 0 }),
    send: ({ receive }) => receive({ type: "grant", id: 1, bytes: 1 }),
    points: PRICES.frame,
  },
  {
    name: "cancels for no exchange",
    send: ({ receive }) => receive({ type: "cancel", id: 9 }),
    points: PRICES.frame,
  },
  {
    name: "chunks for no exchange",
    send: ({ connection }) => connection.receive(chunk(9, 995)),
    points: PRICES.frame,
  },
  {
    name: "empty chunks of an upload",
    before: ({ request }) => request(1, { method: "PUT", bodyFollows: true }),
    send: ({ connection }) => connection.receive(chunk(1, 0)),
    points: PRICES.frame,
  },
  { name: "pings", send: ({ receive }) => receive({ type: "ping" }), points: PRICES.frame },
  {
    name: "requests that are not valid",
    send: ({ request }) => request(9, { url: "/relative" }),
    points: PRICES.refusal,
  },
  {
    name: "frames that are not valid",
    send: ({ receive }) => receive({ type: "cancel", id: "x" }),
    points: PRICES.refusal,
  },
  {
    name: "frames that are too large",
    send: ({ connection }) => connection.receive("x".repeat(1001)),
    points: PRICES.refusal,
  },
  {
    name: "requests too many",
    before: ({ request }) => [1, 2].forEach((id) => request(id)),
    send: ({ request }) => request(9),
    points: PRICES.refusal,
  },
  {
    name: "credentials",
    send: ({ receive }) => receive({ type: "auth", token: "x" }),
    points: PRICES.auth,
  },
];

for (const { name, before = () => {}, send, points } of NEEDLESS) {
  Deno.test(`a connection closes with 4500 after too many ${name}`, () => {
    const bench = createBench();
    before(bench);
    const { webSocket, connection } = bench;
    for (let count = 0; count < MAX / points; count++) send(bench);
    assertEquals(webSocket.closes, []);
    send(bench);
    assertEquals(webSocket.closes, [4500]);
    send(bench);
    connection.closed(1006);
    assertEquals(webSocket.closes, [4500]);
  });
}

Deno.test("a connection pays for the exchanges that it cancels", async () => {
  const bench = createBench();
  const price = PRICES.frame + PRICES.cancelled - EARNED_BY_EXCHANGE;
  let rounds = 0;
  for (; bench.webSocket.closes.length === 0; rounds++) {
    bench.request(1);
    bench.receive({ type: "cancel", id: 1 });
    await bench.run(rounds).done;
  }
  assertEquals(bench.webSocket.closes, [4500]);
  assertAlmostEquals(rounds, MAX / price, 2);
});

Deno.test("a connection takes any number of chunks that have bytes", async () => {
  const bench = createBench();
  for (let round = 0; round < MAX / 10; round++) {
    bench.request(1, { method: "PUT", bodyFollows: true });
    for (let count = 0; count < 10; count++) bench.connection.receive(chunk(1, 1));
    for (let count = 0; count < 3; count++) bench.receive({ type: "cancel", id: 1 });
    await bench.run(round).done;
    bench.clock.advance(5);
  }
  assertEquals(bench.webSocket.closes, []);
});

Deno.test("a connection takes a grant for each 4 KiB and each chunk of a download, without end", async () => {
  const bench = createBench();
  const grant = { type: "grant", id: 1, bytes: 4096 };
  bench.request(1, { stream: true, windowBytes: 65_536 });
  const { outlet } = bench.run(0);
  const body = new Uint8Array(65_536);
  for (let sent = 0; sent < 1000; sent++) {
    const sending = outlet.bytes(body, false);
    bench.clock.advance(1); // parts are paced
    await sending;
    for (let granted = 0; granted < body.length; granted += grant.bytes) bench.receive(grant);
  }
  assertEquals(bench.webSocket.closes, []);
});
