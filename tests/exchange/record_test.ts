import { assertEquals } from "@std/assert";
import { createRecord, shorten, toLoggedRequest } from "../../src/exchange/record.ts";
import type { ProxyRequest } from "../../src/protocol/mod.ts";
import { BLANK_REQUEST, createBlankExchange } from "../helpers/exchange.ts";

const CALLER = { connection: "c", subject: "alice", key: "k", queue: { round: 0 } };
const URL_REQUEST: ProxyRequest = {
  ...BLANK_REQUEST,
  target: new URL("http://a.example:8080/path?secret"),
};

function recordOf(
  request: Partial<ProxyRequest>,
  id: number | undefined = 7,
): ReturnType<typeof createRecord> {
  const logged = toLoggedRequest({ ...URL_REQUEST, ...request });
  return createRecord(CALLER, { id, sequence: 9 }, logged);
}

Deno.test("createRecord() starts a record of what was asked for, without the path", () => {
  const record = recordOf({ method: "A".repeat(300), body: new Uint8Array(5) });
  assertEquals(JSON.parse(JSON.stringify(record)), {
    type: "exchanged",
    connection: "c",
    exchange: 9,
    requestId: "c-9",
    id: 7,
    identity: "alice",
    method: "A".repeat(255),
    host: "a.example:8080",
    decision: "none",
    outcome: "cancelled",
    requestBytes: 5,
    responseBytes: 0,
    totalMs: 0,
  });
});

Deno.test("createRecord() names the upstream, without the path", () => {
  const record = recordOf({ target: { upstream: "github", path: "/secret" } });
  assertEquals([record.upstream, record.host], ["github", ""]);
  assertEquals(JSON.stringify(record).includes("secret"), false);
});

Deno.test("createRecord() shortens a long host and a long upstream", () => {
  const host = `${"h".repeat(60)}.`.repeat(5);
  assertEquals(recordOf({ target: new URL(`http://${host}x/`) }).host, host.slice(0, 255));
  const target = { upstream: "u".repeat(300), path: "/" };
  assertEquals(recordOf({ target }).upstream, "u".repeat(255));
});

Deno.test("all records have the same members in the same order", () => {
  const unreadable = createRecord(
    { ...CALLER, subject: undefined },
    { id: undefined, sequence: 1 },
  );
  const { method, host, upstream, requestBytes, id, identity } = unreadable;
  assertEquals([method, host, upstream, requestBytes], ["", "", undefined, 0]);
  assertEquals([id, identity], [undefined, undefined]);
  const members = Object.keys(unreadable);
  for (const request of [{}, { target: { upstream: "github", path: "/" } }]) {
    assertEquals(Object.keys(recordOf(request)), members);
  }
  assertEquals(Object.keys(createBlankExchange().record), members);
});

Deno.test("shorten() takes 255 characters", () => {
  for (const length of [0, 255]) assertEquals(shorten("x".repeat(length)).length, length);
  assertEquals(shorten(`${"x".repeat(255)}y`), "x".repeat(255));
});
