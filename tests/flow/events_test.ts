import { assertEquals } from "@std/assert";
import { connectV1, type Frame } from "../helpers/client.ts";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { startHttp } from "../helpers/upstream.ts";

/** Requests a body in a stream mode and gives every frame up to the one that ends the exchange. */
async function framesOf(
  body: BodyInit,
  { stream = "events", type = "text/event-stream", status = 200, settings = {} } = {},
): Promise<Frame[]> {
  await using upstream = startHttp(() =>
    new Response(body, { status, headers: { "content-type": type } })
  );
  await using service = startService({ ...LOOPBACK, ...settings });
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: upstream.origin, stream });
  const frames: Frame[] = [];
  for (;;) {
    const frame = await client.next();
    frames.push(frame);
    const last = frame.type === "end" || frame.type === "error" ||
      frame.type === "response" && frame.stream === undefined;
    if (last) return frames;
  }
}

const pick = ({ event, data, lastEventId, retryMs }: Frame): unknown[] => [
  event,
  data,
  lastEventId,
  retryMs,
];

const STREAMS: readonly { name: string; input: string; expected: unknown[][] }[] = [
  { name: "an event", input: "data: a\n\n", expected: [["message", "a", undefined, undefined]] },
  {
    name: "lines of data, joined",
    input: "data: a\ndata:b\ndata\n\n",
    expected: [["message", "a\nb\n", undefined, undefined]],
  },
  {
    name: "types, ids that stay, and retry times",
    input: "retry: 10\nevent: x\nid: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
    expected: [["x", "a", "1", 10], ["message", "b", "1", undefined], [
      "message",
      "c",
      "",
      undefined,
    ]],
  },
  {
    name: "an id without data, which counts for what comes",
    input: "id: 7\n\ndata: a\n\n",
    expected: [["message", "a", "7", undefined]],
  },
  {
    name: "every line end, a byte order mark and comments",
    input: "\ufeffdata: a\r\n\r\n: comment\rdata: b\r\r:\n\ndata: ü\n\n",
    expected: [["message", "a"], ["message", "b"], ["message", "ü"]].map((event) => [
      ...event,
      undefined,
      undefined,
    ]),
  },
  {
    name: "no event that the end cuts off",
    input: "data: a\n\ndata: cut",
    expected: [
      ["message", "a", undefined, undefined],
    ],
  },
  { name: "no event that the end cuts off behind its line", input: "data: cut\n", expected: [] },
  { name: "nothing of nothing", input: "", expected: [] },
];

for (const { name, input, expected } of STREAMS) {
  Deno.test(`stream: "events" gives ${name}`, async () => {
    const [head, ...events] = await framesOf(input);
    assertEquals([head.type, head.stream], ["response", true]);
    assertEquals(events.pop(), { type: "end", id: 1 });
    assertEquals(events.map(pick), expected);
  });
}

Deno.test('stream: "events" gives an answer whole that is no event stream', async () => {
  const [json] = await framesOf('{"error":1}', { type: "application/json" });
  assertEquals([json.stream, json.json], [undefined, { error: 1 }]);
  const [failed] = await framesOf("data: a\n\n", { status: 500 });
  assertEquals([failed.stream, failed.status, failed.text], [undefined, 500, "data: a\n\n"]);
});

Deno.test('stream: "events" gives an event as soon as it is complete', async () => {
  const gate = Promise.withResolvers<void>();
  const body = ReadableStream.from((async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    yield new TextEncoder().encode("data: first\n\ndata: se");
    await gate.promise;
    yield new TextEncoder().encode("cond\n\n");
  })());
  await using upstream = startHttp(() =>
    new Response(body, { headers: { "content-type": "text/event-stream" } })
  );
  await using service = startService();
  await using client = await connectV1(service.url);
  await client.ask({ type: "request", id: 1, url: upstream.origin, stream: "events" });
  assertEquals((await client.next()).data, "first");
  gate.resolve();
  assertEquals((await client.next()).data, "second");
  assertEquals((await client.next()).type, "end");
});

Deno.test('stream: "lines" gives each line, whatever the type', async () => {
  const [head, ...lines] = await framesOf('{"a":1}\n{"b":2}\r\n\nlast', {
    stream: "lines",
    type: "application/x-ndjson",
  });
  assertEquals(head.stream, true);
  assertEquals(lines.pop().type, "end");
  assertEquals(lines.map(({ event, data }) => [event, data]), [
    ["line", '{"a":1}'],
    ["line", '{"b":2}'],
    ["line", ""],
    ["line", "last"],
  ]);
});

Deno.test("an event that never ends is cut off at MAX_RESPONSE_BYTES", async () => {
  for (const stream of ["events", "lines"]) {
    const frames = await framesOf(`data: ${"x".repeat(300_000)}`, {
      stream,
      settings: { MAX_RESPONSE_BYTES: "1000" },
    });
    assertEquals(frames.at(-1).code, "http_response_body_size");
  }
});

const MODES = [
  { stream: "events", prefix: "data: ", end: "\n\n" },
  { stream: "lines", prefix: "", end: "\n" },
];

for (const { stream, prefix, end } of MODES) {
  Deno.test(`stream: "${stream}" allows MAX_RESPONSE_BYTES bytes in an event, and no more`, async () => {
    const settings = { MAX_RESPONSE_BYTES: "60000" };
    for (const text of ["x".repeat(60_000), "\u6f22".repeat(20_000)]) {
      const fits = await framesOf(`${prefix}${text}${end}`, { stream, settings });
      assertEquals(fits.map(({ type, data }) => data ?? type), ["response", text, "end"]);
      const longer = await framesOf(`${prefix}${text}x${end}`, { stream, settings });
      assertEquals(longer.map(({ type }) => type), ["response", "error"]);
      assertEquals(
        longer.at(-1).message,
        "An event of the response is larger than 60000 bytes",
      );
    }
  });

  Deno.test(`stream: "${stream}" sends events that are longer than the send buffer, each with its own text`, async () => {
    const texts = Array.from(
      { length: 20 },
      (_, at) => String.fromCharCode(0x6f22 + at).repeat(20_000),
    );
    const body = texts.map((text) => prefix + text + end).join("");
    const settings = { SEND_BUFFER_BYTES: "65536" };
    const [, ...events] = await framesOf(body, { stream, settings });
    events.pop();
    assertEquals(events.map(({ data }) => data === texts.shift()), Array(20).fill(true));
  });
}
