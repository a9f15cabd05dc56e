import { assert, assertEquals } from "@std/assert";
import { EMPTY_DRAFT } from "../../src/console/draft.ts";
import { isOver } from "../../src/console/exchange_store.ts";
import { startService } from "../helpers/service.ts";
import { openPage, startTarget, textOf } from "./page.ts";

Deno.test("send() uses the id 1 for the first request of a connection", async () => {
  await using target = startTarget();
  await using service = startService();
  using page = openPage(service);
  page.session.connect();
  await page.until(() => page.session.hello !== undefined);
  const exchange = await page.send({ url: `${target.origin}/json` });
  assertEquals([exchange.id, exchange.connection, exchange.head?.status], [1, 1, 200]);
  assertEquals(page.controller.framesOf(exchange).map(({ type }) => type), ["request", "response"]);
  assertEquals(page.announced.length, 1);
});

Deno.test("send() receives a response in each mode", async () => {
  await using target = startTarget();
  await using service = startService();
  using page = openPage(service);
  const whole = await page.send({ url: `${target.origin}/json` });
  assertEquals([textOf(whole), whole.phase], ['{"a":1}', "done"]);
  const chunks = await page.send({ url: `${target.origin}/large`, mode: "chunks" });
  assertEquals([chunks.receivedSize, chunks.body?.isCut], [1_000_000, false]);
  assertEquals(chunks.creditMeter?.download.movedBytes, 1_000_000);
  assert((chunks.creditMeter?.download.grantedBytes ?? 0) >= 1_000_000 - 262_144);
  const events = await page.send({ url: `${target.origin}/events`, mode: "events" });
  assertEquals(events.events.map(({ type, data, lastEventId }) => [type, data, lastEventId]), [
    ["x", "one", "7"],
    ["message", "two", "7"],
  ]);
  const lines = await page.send({ url: `${target.origin}/lines`, mode: "lines" });
  assertEquals(lines.events.map(({ data }) => data), ["one", "two"]);
  const notEvents = await page.send({ url: `${target.origin}/json`, mode: "events" });
  assertEquals([textOf(notEvents), notEvents.events.length], ['{"a":1}', 0]);
});

Deno.test("send() sends headers that browsers forbid, and bodies larger than a frame", async () => {
  await using target = startTarget();
  await using service = startService();
  using page = openPage(service);
  const url = `${target.origin}/echo`;
  const small = await page.send({
    method: "POST",
    url,
    headers: [["cookie", "a=b"]],
    bodyKind: "text",
    bodyText: "abc",
  });
  assertEquals(textOf(small), "POST 3 a=b");
  const file = new File([new Uint8Array(3_000_000)], "x");
  const large = await page.send({ method: "PUT", url, bodyKind: "file", mode: "chunks" }, file);
  assertEquals(textOf(large), "PUT 3000000 null");
  assertEquals(large.creditMeter?.upload?.movedBytes, 3_000_000);
});

Deno.test("send() fails with the code of the error, which the history contains", async () => {
  await using service = startService();
  using page = openPage(service);
  const exchange = await page.send({ url: "http://10.0.0.1/" });
  assertEquals([exchange.phase, exchange.failure?.code, exchange.failure?.sent], [
    "failed",
    "destination_ip_prohibited",
    "no",
  ]);
  assertEquals(page.history.entries.map(({ outcome }) => outcome), ["destination_ip_prohibited"]);
  const wrong = await page.send({ url: "https://[" });
  assertEquals([wrong.phase, wrong.failure?.code], ["failed", "bad_request"]);
});

Deno.test("pause() stops granting credit, cancelAll() ends the exchanges", async () => {
  await using target = startTarget();
  await using service = startService();
  using page = openPage(service);
  const draft = { ...EMPTY_DRAFT, url: `${target.origin}/large`, mode: "chunks" } as const;
  const exchange = page.controller.send(draft, { file: undefined, times: 1 });
  await page.until(() => exchange.phase === "receiving" || exchange.phase === "waiting");
  page.controller.pause(exchange, true);
  await page.until(() => exchange.creditMeter?.download.creditBytes === 0);
  assertEquals(isOver(exchange), false);
  page.controller.pause(exchange, false);
  await page.until(() => isOver(exchange));
  assertEquals([exchange.phase, exchange.receivedSize], ["done", 1_000_000]);

  const never = page.controller.send({ ...draft, url: `${target.origin}/never` }, {
    file: undefined,
    times: 3,
  });
  await page.until(() => never.phase === "receiving");
  page.controller.cancelAll();
  await page.until(() => isOver(never));
  assertEquals(never.phase, "cancelled");
});
