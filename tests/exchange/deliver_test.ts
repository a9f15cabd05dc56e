import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { createDeliver } from "../../src/exchange/deliver.ts";
import type { Exchange } from "../../src/exchange/exchange.ts";
import { createWheel } from "../../src/exchange/wheel.ts";
import type { Body } from "../../src/http/body.ts";
import {
  type HeaderPairs,
  ProxyError,
  type ProxyRequest,
  type ResponseHead,
  type Timing,
} from "../../src/protocol/mod.ts";
import { createFakeClock, type FakeClock, withRealTurns } from "../helpers/clock.ts";
import {
  createBlankExchange,
  createFakeBody,
  createFakeOutlet,
  type FakeOutlet,
  type OutletPart,
} from "../helpers/exchange.ts";
import { createTurns } from "../helpers/turns.ts";

const LIMITS = { maxResponseBytes: 100, maxStreamBytes: 200_000, streamIdleMs: 1000 };

interface Bench {
  readonly exchange: Exchange;
  readonly outlet: FakeOutlet;
  readonly clock: FakeClock;
  deliver(
    body: Body | null,
    head?: { readonly status?: number; readonly headers?: HeaderPairs },
  ): void | Promise<void>;
}

function createBench(
  stream: ProxyRequest["stream"] = false,
  outlet: FakeOutlet = createFakeOutlet(),
): Bench {
  const clock = createFakeClock();
  const exchange = createBlankExchange({ stream }, { wheel: createWheel(clock) });
  exchange.stage = "body";
  const deliver = createDeliver(LIMITS, { clock, turns: createTurns() });
  return {
    exchange,
    outlet,
    clock,
    deliver(body, { status = 200, headers = [] } = {}): void | Promise<void> {
      const head = { status, statusText: "", url: "http://x/", redirected: false, headers };
      return deliver(exchange, { head, body }, outlet);
    },
  };
}

/** Returns parts as short texts. */
function namesOf(parts: readonly OutletPart[]): readonly string[] {
  return parts.map((part) => {
    switch (part.type) {
      case "whole":
        return `whole ${part.response.body && new TextDecoder().decode(part.response.body)}`;
      case "bytes":
        return `${part.text}${part.fin ? " fin" : ""}`;
      case "event":
        return `${part.event.event}: ${part.event.data}`;
      default:
        return part.type;
    }
  });
}

Deno.test("deliver() reads no body while the client does not read, and sends it after that", async () => {
  const ready = Promise.withResolvers<void>();
  const { outlet, deliver } = createBench(
    false,
    createFakeOutlet((method) => method === "ready" ? ready.promise : undefined),
  );
  const body = createFakeBody(["ok"]);
  const delivering = deliver(body);
  assert(delivering instanceof Promise);
  assertEquals([body.limits, outlet.parts.length], [[], 0]);
  ready.resolve();
  await delivering;
  assertEquals([body.limits, namesOf(outlet.parts)], [[100], ["whole ok"]]);
});

Deno.test("deliver() returns no promise when the whole body has arrived and was taken at once", () => {
  for (const body of [createFakeBody(["ok"]), null]) {
    const { outlet, deliver } = createBench();
    assertEquals(deliver(body), undefined);
    assertEquals(namesOf(outlet.parts), [body === null ? "whole null" : "whole ok"]);
  }
});

Deno.test("deliver() waits for an outlet that does not take a whole response at once", async () => {
  const taken = Promise.withResolvers<void>();
  const outlet = createFakeOutlet((method) => method === "whole" ? taken.promise : undefined);
  const delivering = createBench(false, outlet).deliver(createFakeBody(["ok"]));
  assertStrictEquals(delivering, taken.promise);
  taken.resolve();
  await delivering;
});

Deno.test("deliver() waits for a body that has not arrived", async () => {
  const { outlet, deliver } = createBench();
  await deliver(createFakeBody(["a", "b"], { isHere: false }));
  assertEquals(namesOf(outlet.parts), ["whole ab"]);
});

Deno.test("deliver() delivers the head of the response, and nothing that is not of it", async () => {
  const headers: HeaderPairs = [["a", "b"]];
  const whole = createBench();
  await whole.deliver(createFakeBody(["ok"]), { status: 418, headers });
  const { body, ...head } = whole.outlet.last("whole").response;
  assertEquals(body, new TextEncoder().encode("ok"));
  const expected = { status: 418, statusText: "", url: "http://x/", redirected: false, headers };
  assertEquals(head, expected);
  let streamed: ResponseHead | undefined;
  const outlet = createFakeOutlet((method) => {
    if (method === "head") streamed = outlet.last("head").head;
  });
  await createBench("lines", outlet).deliver(createFakeBody(["ok"]), { status: 418, headers });
  assertEquals(streamed, expected);
});

const EVENT_STREAM: HeaderPairs = [["content-type", "text/event-stream"]];
const LONG = "x".repeat(16_385);

const FORMS: readonly {
  readonly name: string;
  readonly stream: ProxyRequest["stream"];
  readonly body: () => Body | null;
  readonly head?: { readonly status?: number; readonly headers?: HeaderPairs };
  readonly expected: readonly string[];
}[] = [
  {
    name: "a body whole that the request does not stream",
    stream: false,
    body: () => createFakeBody([LONG], { isHere: false }),
    expected: [`whole ${LONG}`],
  },
  {
    name: "an event stream whole that the request does not stream",
    stream: false,
    body: () => createFakeBody(["data: a\n\n"], { isHere: false }),
    head: { headers: EVENT_STREAM },
    expected: ["whole data: a\n\n"],
  },
  {
    name: "a streamed body in its chunks",
    stream: true,
    body: () => createFakeBody(["a", "b"], { isHere: false }),
    expected: ["head", "a", "b", " fin"],
  },
  {
    name: "a long body in chunks, though it has arrived",
    stream: true,
    body: () => createFakeBody([LONG]),
    expected: ["head", LONG, " fin"],
  },
  {
    name: "a short streamed body whole that has arrived",
    stream: true,
    body: () => createFakeBody([LONG.slice(1)]),
    expected: [`whole ${LONG.slice(1)}`],
  },
  {
    name: "a short streamed body whole that arrives at once",
    stream: true,
    body: () => createFakeBody(["a", "b"], { isHere: false, length: 2 }),
    expected: ["whole ab"],
  },
  {
    name: "an empty streamed body whole",
    stream: true,
    body: () => createFakeBody([], { isHere: false, length: 0 }),
    expected: ["whole "],
  },
  {
    name: "a response without a body whole",
    stream: true,
    body: () => null,
    expected: ["whole null"],
  },
  {
    name: "lines, and the end",
    stream: "lines",
    body: () => createFakeBody(["a\nb", "c\r\nd"]),
    expected: ["head", "line: a", "line: bc", "line: d", "end"],
  },
  {
    name: "no lines of an empty body, but its head and end",
    stream: "lines",
    body: () => createFakeBody([]),
    expected: ["head", "end"],
  },
  {
    name: "lines of any status and type",
    stream: "lines",
    body: () => createFakeBody(["a"]),
    head: { status: 500, headers: EVENT_STREAM },
    expected: ["head", "line: a", "end"],
  },
  {
    name: "the events of an event stream, and the end",
    stream: "events",
    body: () => createFakeBody(["data: a\n", "\nevent: x\ndata: b\n\n"]),
    head: { headers: EVENT_STREAM },
    expected: ["head", "message: a", "x: b", "end"],
  },
  {
    name: "the events of an event stream with parameters, in any letters",
    stream: "events",
    body: () => createFakeBody(["data: a\n\n"]),
    head: { headers: [["content-type", " Text/Event-Stream ; charset=utf-8"]] },
    expected: ["head", "message: a", "end"],
  },
  {
    name: "another type whole, though events were asked for",
    stream: "events",
    body: () => createFakeBody(["data: a\n\n"]),
    head: { headers: [["content-type", "text/event-streams"]] },
    expected: ["whole data: a\n\n"],
  },
  {
    name: "another status whole, though events were asked for",
    stream: "events",
    body: () => createFakeBody(["data: a\n\n"]),
    head: { status: 201, headers: EVENT_STREAM },
    expected: ["whole data: a\n\n"],
  },
  {
    name: "a response without a type whole, though events were asked for",
    stream: "events",
    body: () => createFakeBody(["data: a\n\n"]),
    expected: ["whole data: a\n\n"],
  },
];

for (const { name, stream, body, head, expected } of FORMS) {
  Deno.test(`deliver() delivers ${name}`, async () => {
    const { outlet, deliver, clock, exchange } = createBench(stream);
    await deliver(body(), head);
    assertEquals(namesOf(outlet.parts), expected);
    assertEquals(exchange.signal.aborted, false);
    clock.advance(100_000);
    assertEquals(exchange.signal.aborted, false, "no deadline is left");
  });
}

Deno.test("deliver() limits a body by how it is delivered", async () => {
  const cases = [
    { stream: false, expected: 100 },
    { stream: true, expected: 200_000 },
    { stream: "lines", expected: 200_000 },
    { stream: "events", expected: 100 }, // there are none: the body is delivered whole
  ] as const;
  for (const { stream, expected } of cases) {
    for (const isHere of [true, false]) {
      const body = createFakeBody(["ok"], { isHere });
      await createBench(stream).deliver(body);
      assertEquals(body.limits, [expected], `${stream} ${isHere}`);
    }
  }
});

Deno.test("deliver() throws for an event that is longer than maxResponseBytes", async () => {
  const { outlet, deliver } = createBench("lines");
  const delivering = deliver(createFakeBody([`a\n${"b".repeat(101)}\n`]));
  const { code } = await assertRejects(async () => await delivering, ProxyError);
  assertEquals([code, namesOf(outlet.parts)], ["http_response_body_size", ["head", "line: a"]]);
});

Deno.test("deliver() lets the event loop turn while it parses what has arrived", async () => {
  const clock = withRealTurns(createFakeClock());
  const turns = createTurns();
  const deliver = createDeliver({ ...LIMITS, maxStreamBytes: 10_000_000 }, { clock, turns });
  const wheel = createWheel(clock);
  const head = { status: 200, statusText: "", url: "http://x/", redirected: false };
  const headers = [["content-type", "text/event-stream"]] as const;
  let count = 0;
  let delivered = 0;
  const turn = (): void => {
    count++;
    if (delivered < 4) clock.soon(turn);
  };
  clock.soon(turn);
  await Promise.all(Array.from({ length: 4 }, async () => {
    const exchange = createBlankExchange({ stream: "events" }, { wheel });
    const body = createFakeBody(Array(10).fill(": x\n".repeat(25_000)), { isHere: false });
    await deliver(exchange, { head: { ...head, headers }, body }, createFakeOutlet());
    delivered++;
  }));
  assert(count > 20, `${count}`);
});

Deno.test("deliver() throws what reading the body throws", async () => {
  const reason = new Error("broke off");
  for (const stream of [false, true, "lines"] as const) {
    const { deliver } = createBench(stream);
    const body = createFakeBody(["a"], {
      isHere: false,
      before: (index) => index === (stream === false ? 0 : 1) ? Promise.reject(reason) : undefined,
    });
    const delivering = deliver(body);
    assertStrictEquals(await assertRejects(async () => await delivering), reason);
  }
});

Deno.test("deliver() delivers in chunks a short body of which something is late", async () => {
  const late = Promise.withResolvers<void>();
  const { outlet, clock, exchange, deliver } = createBench(true);
  const body = createFakeBody(["a", "b"], {
    isHere: false,
    length: 2,
    before: (index) => index === 1 ? late.promise : undefined,
  });
  const waiting = clock.until(5);
  const delivering = deliver(body);
  await waiting;
  clock.advance(5);
  while (outlet.parts.length < 2) await Promise.resolve();
  late.resolve();
  await delivering;
  assertEquals([namesOf(outlet.parts), exchange.stage], [["head", "a", "b", " fin"], "stream"]);
});

Deno.test("deliver() times what the destination takes for each chunk, and nothing else", async () => {
  const steps: string[] = [];
  const outlet = createFakeOutlet((method) => void steps.push(method));
  const { exchange, deliver } = createBench(true, outlet);
  exchange.setDeadline = (...times) => void steps.push(`set ${times}`);
  exchange.clearDeadline = () => void steps.push("clear");
  const body = createFakeBody(["a", "b"], {
    isHere: false,
    before: (index) => void steps.push(index === 2 ? "end" : "read"),
  });
  await deliver(body);
  const chunk = ["set 1000", "read", "clear", "bytes"];
  assertEquals(steps, ["ready", "head", ...chunk, ...chunk, "set 1000", "end", "clear", "bytes"]);
});

for (const silentAt of [0, 1, 2]) {
  Deno.test(`deliver() fails a stream whose destination is silent for too long before chunk ${silentAt}`, async () => {
    const { exchange, outlet, clock, deliver } = createBench(true);
    const silent = Promise.withResolvers<void>();
    exchange.signal.addEventListener("abort", () => silent.reject(exchange.signal.reason));
    const body = createFakeBody(["a", "b"], {
      isHere: false,
      before: (index) => index === silentAt ? silent.promise : undefined,
    });
    const delivering = deliver(body);
    while (outlet.parts.length < 1 + silentAt) await Promise.resolve();
    await Promise.resolve();
    clock.advance(999);
    assertEquals(exchange.signal.aborted, false);
    clock.advance(9);
    const error = await assertRejects(async () => await delivering, ProxyError);
    assertEquals([error.code, error.sent, error.message], [
      "http_response_timeout",
      "yes",
      "The response did not go on within 1000 ms",
    ]);
  });
}

Deno.test("deliver() gives a client that reads slowly any time", async () => {
  const taken = Promise.withResolvers<void>();
  const outlet = createFakeOutlet((method) => method === "bytes" ? taken.promise : undefined);
  const { exchange, clock, deliver } = createBench(true, outlet);
  const delivering = deliver(createFakeBody(["a", "b"], { isHere: false }));
  while (outlet.parts.length < 2) await Promise.resolve();
  clock.advance(100_000);
  assertEquals(exchange.signal.aborted, false);
  taken.resolve();
  await delivering;
  assertEquals(namesOf(outlet.parts), ["head", "a", "b", " fin"]);
});

Deno.test("deliver() waits for each part before the next", async () => {
  for (const [stream, text] of [[true, "a"], ["lines", "a\n"]] as const) {
    const waits: PromiseWithResolvers<void>[] = [];
    const outlet = createFakeOutlet(() => {
      const wait = Promise.withResolvers<void>();
      waits.push(wait);
      return wait.promise;
    });
    const delivering = createBench(stream, outlet).deliver(
      createFakeBody([text, text], { isHere: false }),
    );
    for (let part = 0; part < 5; part++) { // ready, head, two parts, the end
      for (let turns = 0; turns < 20; turns++) await Promise.resolve();
      assertEquals(waits.length, part + 1);
      waits[part]?.resolve();
    }
    await delivering;
    assertEquals(waits.length, 5);
  }
});

Deno.test("deliver() says how long a whole response took, and how much of it was its body", async () => {
  const { exchange, outlet, clock, deliver } = createBench();
  exchange.queueMs = 1;
  exchange.waitMs = 5.5;
  clock.advance(8.25);
  await deliver(createFakeBody(["ok"]));
  const { timing } = outlet.last("whole");
  assertEquals(timing, { queueMs: 1, waitMs: 5.5, transferMs: 2.75, totalMs: 8.25 });
  assertEquals(Object.keys(timing), ["queueMs", "waitMs", "transferMs", "totalMs"]);
});

Deno.test("deliver() says nothing of the body's time when the body follows", async () => {
  let timing: Timing | undefined;
  const outlet = createFakeOutlet((method) => {
    if (method === "head") ({ timing } = outlet.last("head"));
  });
  const { exchange, clock, deliver } = createBench("lines", outlet);
  exchange.dnsMs = 2;
  exchange.waitMs = 5;
  clock.advance(8);
  await deliver(createFakeBody(["ok"]));
  assertEquals(timing, { queueMs: 0, dnsMs: 2, waitMs: 5, totalMs: 8 });
  assertEquals(Object.keys(timing ?? {}), ["queueMs", "dnsMs", "waitMs", "totalMs"]);
});
