/**
 * A server may send any frames: the client does not throw outside its calls, settles each call and mixes no bodies.
 */
import { assert } from "@std/assert";
import fc from "fast-check";
import { createClient } from "../../src/client/mod.ts";
import { startFakeServer } from "../helpers/fake_server.ts";

const CALLS = 3;
const TARGET = "http://upstream.example/";

/** A message of the server. Only the ids 1 to 3 are in flight. */
type Message =
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "bytes"; readonly bytes: readonly number[] }
  | { readonly kind: "chunk"; readonly id: number; readonly size: number; readonly fin: boolean };

const ids = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: CALLS }) },
  fc.constantFrom(0, -1, 1.5, 4, 4294967295, "1", null, true),
);
const heads = fc.record({
  type: fc.constant("response"),
  id: ids,
  status: fc.oneof(fc.constant(200), fc.constantFrom(0, -1, 1e9, 101, 204, 304, 1.5, "200")),
  statusText: fc.constantFrom("OK", "", "é", "\u0000", "…", 1),
  url: fc.constantFrom(TARGET, "", "no url", null),
  redirected: fc.constantFrom(true, false, 1),
  headers: fc.constantFrom<unknown>([], [["a", "b"]], [["a b", "c"]], [["a", "\n"]], [["a"]], {}),
  timing: fc.constantFrom<unknown>({ waitMs: 1, totalMs: 1 }, {}, null),
  stream: fc.constantFrom(true, true, undefined, false),
  text: fc.constantFrom(undefined, undefined, "t", 1),
});
const goodHeads = fc.tuple(heads, fc.boolean()).map(([head, streamed]) => ({
  ...head,
  ...{ status: 200, statusText: "OK", url: TARGET, redirected: false, headers: [] },
  ...{ timing: { waitMs: 1, totalMs: 1 }, text: undefined, stream: streamed ? true : undefined },
}));
const others = fc.oneof(
  fc.record({
    type: fc.constantFrom("grant", "end", "event", "error", "pong", "goaway", "nope", 1),
    id: fc.oneof(ids, fc.constant(undefined)),
    bytes: fc.constantFrom(1, 0, -1, 1e300, "1", undefined),
    event: fc.constantFrom("message", 1, undefined),
    data: fc.constantFrom("d", 1, undefined),
    code: fc.constantFrom("draining", "too_many_in_flight", "dns_error", "__proto__", 1, undefined),
    sent: fc.constantFrom("no", "maybe", "yes", "perhaps", undefined),
    message: fc.constantFrom("m", 1, undefined),
    retryable: fc.constantFrom(true, "yes", undefined),
  }),
  fc.constantFrom({ type: "hello" }, { type: "hello", protocol: "wsfetch.v1", limits: {} }),
  fc.jsonValue(),
);
const messages: fc.Arbitrary<Message> = fc.oneof(
  { weight: 5, arbitrary: goodHeads.map((value): Message => ({ kind: "json", value })) },
  { weight: 2, arbitrary: heads.map((value): Message => ({ kind: "json", value })) },
  { weight: 2, arbitrary: others.map((value): Message => ({ kind: "json", value })) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("chunk" as const),
      id: fc.integer({ min: 1, max: CALLS + 1 }),
      size: fc.constantFrom(0, 1, 100, 70_000, 300_000),
      fin: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.string().map((text): Message => ({ kind: "text", text })) },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 8 }).map((bytes): Message => ({
      kind: "bytes",
      bytes: [...bytes],
    })),
  },
);

/** Sends the messages during three calls and returns how each call has settled. */
async function play(script: readonly Message[]): Promise<PromiseSettledResult<Uint8Array>[]> {
  await using server = startFakeServer();
  await using client = createClient(server.url, {}, { random: () => 0 });
  const calls = Array.from({ length: CALLS }, async () => {
    const response = await client.fetch(TARGET);
    return new Uint8Array(await response.arrayBuffer());
  });
  const connection = await server.accept();
  for (let count = 0; count < CALLS; count++) await connection.next();
  for (const message of script) {
    if (message.kind === "json") connection.send(JSON.stringify(message.value));
    else if (message.kind === "text") connection.send(message.text);
    else if (message.kind === "bytes") connection.send(Uint8Array.from(message.bytes));
    else {connection.sendChunk(
        message.id,
        new Uint8Array(message.size).fill(message.id),
        message.fin,
      );}
  }
  connection.close(1011);
  const settled = Promise.allSettled(calls);
  // A final close code ends the calls that are sent again.
  for (;;) {
    const next = await Promise.race([server.accept(), settled]);
    if (Array.isArray(next)) return next;
    next.close(4500);
  }
}

Deno.test("no sequence of messages hangs a call, throws outside a call, or mixes bodies", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(messages, { maxLength: 20 }), async (script) => {
      const results = await play(script);
      results.forEach((result, at) => {
        if (result.status === "rejected") assert(result.reason instanceof TypeError);
        else {
          const text = new TextDecoder().decode(result.value);
          assert(text === "t" || result.value.every((byte) => byte === at + 1));
        }
      });
    }),
    { numRuns: 100, interruptAfterTimeLimit: 30_000 },
  );
});
