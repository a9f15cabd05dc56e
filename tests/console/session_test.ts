import { assertEquals } from "@std/assert";
import { LOOPBACK, startService } from "../helpers/service.ts";
import { openPage, startTarget } from "./page.ts";

Deno.test("createSession() connects and exposes the hello frame", async () => {
  await using service = startService({ ...LOOPBACK, AUTH_TOKENS: "alice:s3cr3t-token" });
  using page = openPage(service);
  page.session.connect("s3cr3t-token");
  await page.until(() => page.session.hello !== undefined);
  assertEquals(page.session.hello?.identity, "alice");
  assertEquals([page.session.state.type, page.session.hasToken], ["open", true]);
});

Deno.test("createSession() reconnects, and connects when a request is sent", async () => {
  await using target = startTarget();
  await using service = startService();
  using page = openPage(service);
  page.session.connect();
  await page.until(() => page.session.hello !== undefined);
  page.session.connect();
  assertEquals(page.session.hello, undefined);
  const exchange = await page.send({ url: `${target.origin}/json` });
  assertEquals([exchange.phase, exchange.connection], ["done", 2]);
  page.session.disconnect();
  assertEquals(page.session.state.type, "off");
  const again = await page.send({ url: `${target.origin}/json` });
  assertEquals([again.phase, again.connection], ["done", 3], "a request connects");
});

Deno.test("createSession() finds out why a handshake was refused, and does not reconnect", async () => {
  await using service = startService({ ...LOOPBACK, AUTH_TOKENS: "alice:s3cr3t-token" });
  using page = openPage(service);
  page.session.connect();
  await page.until(() => page.session.state.type === "refused");
  const { handshakeOutcome } = page.session;
  assertEquals(handshakeOutcome?.type === "refused" && handshakeOutcome.code, "unauthorized");
  const exchange = await page.send({ url: "http://localhost/" });
  assertEquals([exchange.failure?.code, exchange.failure?.isRefusal], ["unauthorized", true]);
  page.session.connect("wrong");
  await page.until(() => page.session.state.type === "refused");
  page.session.connect("s3cr3t-token");
  await page.until(() => page.session.hello !== undefined);
  assertEquals([page.session.state.type, page.session.handshakeOutcome], ["open", undefined]);
  assertEquals(page.session.secrets, ["s3cr3t-token"]);
});

Deno.test("createSession() reports that the service cannot be reached, and keeps reconnecting", async () => {
  const service = startService();
  using page = openPage(service);
  page.session.connect();
  await page.until(() => page.session.hello !== undefined);
  await service[Symbol.asyncDispose]();
  await page.until(() => page.session.handshakeOutcome !== undefined);
  assertEquals(page.session.handshakeOutcome, { type: "unreachable" });
  await page.until(() => page.session.state.type === "waiting");
});
