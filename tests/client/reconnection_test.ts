import { assertEquals, assertStringIncludes } from "@std/assert";
import { createClient } from "../../src/client/mod.ts";
import { toReconnectDelayMs } from "../../src/client/reconnection.ts";
import { startFakeServer } from "../helpers/fake_server.ts";
import { createFakeTimers } from "./fake_timers.ts";
import { failureOf } from "./rejections.ts";
import { becomes } from "./states.ts";

const URL_A = "http://upstream.example/a";
const URL_B = "http://upstream.example/b";

Deno.test("toReconnectDelayMs() doubles up to the maximum and applies full jitter", () => {
  const options = { minDelayMs: 100, maxDelayMs: 500 };
  assertEquals([0, 1, 2, 3, 9].map((failures) => toReconnectDelayMs(failures, () => 1, options)), [
    100,
    200,
    400,
    500,
    500,
  ]);
  assertEquals(toReconnectDelayMs(5, () => 0, {}), 0);
  assertEquals(toReconnectDelayMs(5_000, () => 0.5, {}), 15_000);
});

Deno.test("a client waits longer after each failure and gives up after the configured attempts", async () => {
  await using server = startFakeServer({ refuse: () => 503 });
  const timers = createFakeTimers();
  await using client = createClient(
    server.url,
    { backoff: { minDelayMs: 100, maxDelayMs: 300, attempts: 4 } },
    { timers, random: () => 0.5 },
  );
  const call = failureOf(client.fetch(URL_A));
  const delays: number[] = [];
  for (let attempt = 1; attempt < 4; attempt++) {
    const { delayMs } = await becomes(client, "waiting");
    delays.push(delayMs);
    timers.advance(delayMs);
  }
  assertEquals(delays, [50, 100, 150]);
  const error = await call;
  assertEquals([error.code, error.sent, error.retryable], ["connection_terminated", "no", true]);
  assertEquals([server.handshakes(), client.state.type], [4, "idle"]);
});

const CLOSE_CODES: readonly { code: number; again: boolean }[] = [
  { code: 1001, again: true },
  { code: 1011, again: true },
  { code: 4000, again: true },
  { code: 4029, again: true },
  { code: 4499, again: true },
  { code: 4500, again: false },
  { code: 4501, again: true },
  { code: 4502, again: false },
  { code: 4999, again: false },
];
for (const { code, again } of CLOSE_CODES) {
  Deno.test(`a client ${again ? "reconnects" : "does not reconnect"} after close code ${code}`, async () => {
    await using server = startFakeServer({ hello: { maxInFlight: 1 } });
    await using client = createClient(server.url, {}, { random: () => 0 });
    const sent = failureOf(client.fetch(URL_A));
    const first = await server.accept();
    await first.next();
    const queued = client.fetch(URL_B, { headers: { x: "y".repeat(5000) } });
    if (again) {
      first.close(code, "because");
      assertEquals((await sent).sent, "maybe");
      const second = await server.accept();
      second.respond((await second.next()).id, "b");
      assertEquals(await (await queued).text(), "b");
      return;
    }
    const failed = becomes(client, "failed");
    const queuedFailure = failureOf(queued);
    first.close(code, "because");
    assertEquals([(await sent).sent, (await queuedFailure).sent], ["maybe", "no"]);
    assertEquals((await failed).code, code);
    const later = await failureOf(client.fetch(URL_A));
    assertStringIncludes(later.message, `${code} because`);
    assertEquals([later.retryable, later.sent, server.handshakes()], [false, "no", 1]);
  });
}
