import { assertEquals } from "@std/assert";
import { classifyBody, headerOf } from "../../src/console/body_kind.ts";
import { createBodyStore } from "../../src/console/body_store.ts";
import { EMPTY_DRAFT } from "../../src/console/draft.ts";
import {
  createExchanges,
  describeOutcome,
  type Exchanges,
  type ExchangesOptions,
  openBody,
} from "../../src/console/exchanges.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function create(options: ExchangesOptions = {}): Exchanges {
  let time = 0;
  return createExchanges(options, { now: () => time++, date: () => 1000 + time });
}

Deno.test("createExchanges() counts, dates and forgets what has ended", () => {
  const exchanges = create();
  const [first, second] = [exchanges.add(EMPTY_DRAFT), exchanges.add(EMPTY_DRAFT)];
  assertEquals([first.key, second.key, first.moments.start, exchanges.inFlight], [1, 2, 0, 2]);
  first.phase = "done";
  assertEquals(exchanges.inFlight, 1);
  exchanges.clear();
  assertEquals(exchanges.records, [second]);
});

Deno.test("createExchanges() forgets the oldest that have ended when there are too many", () => {
  const exchanges = create({ maxRecords: 10 });
  const pending = exchanges.add(EMPTY_DRAFT);
  for (let count = 0; count < 20; count++) exchanges.add(EMPTY_DRAFT).phase = "done";
  assertEquals(exchanges.records.length, 10);
  assertEquals([exchanges.records[0], exchanges.records.at(-1)?.key], [pending, 21]);
});

Deno.test("createExchanges() lets the oldest bodies go when they are too large together", () => {
  const exchanges = create({ maxBodyBytes: 10 });
  const records = ["123456", "1234", "12"].map((text) => {
    const record = exchanges.add(EMPTY_DRAFT);
    openBody(record).push(bytes(text));
    exchanges.ended(record);
    return record;
  });
  assertEquals(records.map(({ body }) => body?.read().byteLength), [0, 4, 2]);
});

Deno.test("describeOutcome() says how it has ended, or how far it is", () => {
  const record = create().add(EMPTY_DRAFT);
  assertEquals(describeOutcome(record), "queued");
  record.head = { status: 404, statusText: "", url: "", redirected: false, headers: [] };
  assertEquals(describeOutcome(record), "404");
  assertEquals(describeOutcome({ ...record, phase: "cancelled" }), "cancelled");
  const failure = {
    code: "dns_error",
    message: "",
    sent: "no",
    retryable: true,
    retryAfterMs: undefined,
    isRefusal: false,
  } as const;
  assertEquals(describeOutcome({ ...record, phase: "failed", failure }), "dns_error");
});

Deno.test("createBodyStore() keeps as much as it may, in order", () => {
  const body = createBodyStore(5);
  body.push(bytes("abc"));
  assertEquals([...body.readFrom(1)], [...bytes("bc")]);
  body.push(bytes("defg"));
  assertEquals([body.bytes, body.isCut], [7, true]);
  assertEquals([...body.read()], [...bytes("abcde")]);
  assertEquals([...body.readFrom(4)], [...bytes("e")]);
  assertEquals(body.readFrom(9).byteLength, 0);
  body.release();
  assertEquals([body.bytes, body.read().byteLength], [7, 0]);
});

const KINDS = [
  { name: "JSON", type: "application/json", text: "{}", expected: ["json", "text", "hex"] },
  {
    name: "problem details",
    type: "application/problem+json; charset=utf-8",
    text: "x",
    expected: ["json", "text", "hex"],
  },
  {
    name: "JSON that says it is text",
    type: "text/plain",
    text: ' {"a":1}',
    expected: ["json", "text", "hex"],
  },
  { name: "text", type: "text/plain", text: "hello", expected: ["text", "hex"] },
  { name: "a script", type: "text/javascript", text: "{ x }", expected: ["text", "hex"] },
  { name: "an SVG", type: "image/svg+xml", text: "<svg/>", expected: ["image", "text", "hex"] },
  { name: "a PNG", type: "image/png", text: "\x80\xff", expected: ["image", "hex"] },
  { name: "HTML", type: "text/html", text: "<p>", expected: ["text", "hex"] },
  { name: "bytes", type: "", text: "\xff", expected: ["hex"] },
  { name: "a PNG with nothing in it", type: "image/png", text: "", expected: ["text", "hex"] },
];
for (const { name, type, text, expected } of KINDS) {
  Deno.test(`classifyBody() shows ${name} as ${expected.join(", ")}`, () => {
    const content = Uint8Array.from(text, (character) => character.charCodeAt(0));
    assertEquals<readonly string[]>(classifyBody(type, content).views, expected);
  });
}

Deno.test("headerOf() finds a header in any case", () => {
  assertEquals(headerOf([["Content-Type", "a"]], "content-type"), "a");
  assertEquals(headerOf([], "content-type"), "");
});
