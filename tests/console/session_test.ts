import { assert, assertEquals } from "@std/assert";
import type { WebSocketConstructor } from "../../src/client/socket.ts";
import { platformTimers } from "../../src/client/timers.ts";
import { type Draft, EMPTY_DRAFT } from "../../src/console/draft.ts";
import { createExchanges, type ExchangeRecord, isOver } from "../../src/console/exchanges.ts";
import { createFrameLog } from "../../src/console/frame_log.ts";
import { createHandshakeCheck } from "../../src/console/handshake.ts";
import { createHistory, type History } from "../../src/console/history.ts";
import { createOperator, type Operator } from "../../src/console/operator.ts";
import { createSession, type Session } from "../../src/console/session.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { startHttp } from "../helpers/upstream.ts";

interface Page extends Disposable {
  readonly session: Session;
  readonly operator: Operator;
  readonly history: History;
  readonly announced: string[];
  /** Fulfils when this is so. */
  until(isSo: () => boolean): Promise<void>;
  send(draft: Partial<Draft>, file?: File): Promise<ExchangeRecord>;
}

/** The page without its elements. */
function openPage({ url, origin }: Pick<Service, "url" | "origin">): Page {
  const waiting = new Set<() => void>();
  const announced: string[] = [];
  const changed = (): void => waiting.forEach((check) => check());
  const now = (): number => performance.now();
  const log = createFrameLog({}, { now });
  const exchanges = createExchanges({}, { now, date: () => Date.now() });
  const history = createHistory(undefined);
  const session = createSession({ url }, {
    WebSocket: WebSocket as WebSocketConstructor, // the platform's says more of its events
    timers: platformTimers,
    random: () => 0.9,
    checkHandshake: createHandshakeCheck({
      fetch: (path, init) => fetch(new URL(String(path), origin), init),
    }),
    frame: (...frame) => operator.frame(...frame),
    happened: changed,
    changed,
  });
  const announce = (text: string): void => void announced.push(text);
  const operator = createOperator({ session, exchanges, history, log, now, announce, changed });
  const until = (isSo: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!isSo()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  return {
    session,
    operator,
    history,
    announced,
    until,
    async send(draft, file): Promise<ExchangeRecord> {
      const record = operator.send({ ...EMPTY_DRAFT, ...draft }, { file, times: 1 });
      await until(() => isOver(record));
      return record;
    },
    [Symbol.dispose]: () => session.disconnect(),
  };
}

const textOf = ({ body }: ExchangeRecord): string => new TextDecoder().decode(body?.read());

function startTarget(): ReturnType<typeof startHttp> {
  return startHttp(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/json") return Response.json({ a: 1 });
    if (pathname === "/lines") return new Response("one\ntwo\n");
    if (pathname === "/events") {
      return new Response("id: 7\nevent: x\ndata: one\n\ndata: two\n\n", {
        headers: { "content-type": "text/event-stream" },
      });
    }
    if (pathname === "/large") return new Response(new Uint8Array(1_000_000).fill(65));
    if (pathname === "/never") return new Response(new ReadableStream());
    const body = await request.bytes();
    return new Response(`${request.method} ${body.byteLength} ${request.headers.get("cookie")}`);
  });
}

Deno.test("createSession() connects by itself and says who one is", async () => {
  await using service = startService({ ...LOOPBACK, AUTH_TOKENS: "alice:s3cr3t-token" });
  using page = openPage(service);
  page.session.connect("s3cr3t-token");
  await page.until(() => page.session.hello !== undefined);
  assertEquals(page.session.hello?.identity, "alice");
  assertEquals([page.session.state.type, page.session.hasToken], ["open", true]);
});

Deno.test("the console's first request on a connection has the id 1", async () => {
  await using target = startTarget();
  await using service = startService();
  using page = openPage(service);
  page.session.connect();
  await page.until(() => page.session.hello !== undefined);
  const record = await page.send({ url: `${target.origin}/json` });
  assertEquals([record.id, record.connection, record.head?.status], [1, 1, 200]);
  assertEquals(page.operator.framesOf(record).map(({ type }) => type), ["request", "response"]);
  assertEquals(page.announced.length, 1);
});

Deno.test("send() takes an answer whole, in chunks, as events and by lines", async () => {
  await using target = startTarget();
  await using service = startService();
  using page = openPage(service);
  const whole = await page.send({ url: `${target.origin}/json` });
  assertEquals([textOf(whole), whole.phase], ['{"a":1}', "done"]);
  const chunks = await page.send({ url: `${target.origin}/large`, mode: "chunks" });
  assertEquals([chunks.receivedSize, chunks.body?.isCut], [1_000_000, false]);
  assertEquals(chunks.flow?.download.movedBytes, 1_000_000);
  assert((chunks.flow?.download.grantedBytes ?? 0) >= 1_000_000 - 262_144);
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

Deno.test("send() sends headers that browsers keep to themselves, and bodies larger than a frame", async () => {
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
  assertEquals(large.flow?.upload?.movedBytes, 3_000_000);
});

Deno.test("send() fails with the code, and keeps it", async () => {
  await using service = startService();
  using page = openPage(service);
  const record = await page.send({ url: "http://10.0.0.1/" });
  assertEquals([record.phase, record.failure?.code, record.failure?.sent], [
    "failed",
    "destination_ip_prohibited",
    "no",
  ]);
  assertEquals(page.history.entries.map(({ outcome }) => outcome), ["destination_ip_prohibited"]);
  const wrong = await page.send({ url: "https://[" });
  assertEquals([wrong.phase, wrong.failure?.code], ["failed", "bad_request"]);
});

Deno.test("pause() stops the credit, cancel() the exchange", async () => {
  await using target = startTarget();
  await using service = startService();
  using page = openPage(service);
  const draft = { ...EMPTY_DRAFT, url: `${target.origin}/large`, mode: "chunks" } as const;
  const record = page.operator.send(draft, { file: undefined, times: 1 });
  await page.until(() => record.phase === "receiving" || record.phase === "waiting");
  page.operator.pause(record, true);
  await page.until(() => record.flow?.download.creditBytes === 0);
  assertEquals(isOver(record), false);
  page.operator.pause(record, false);
  await page.until(() => isOver(record));
  assertEquals([record.phase, record.receivedSize], ["done", 1_000_000]);

  const never = page.operator.send({ ...draft, url: `${target.origin}/never` }, {
    file: undefined,
    times: 3,
  });
  await page.until(() => never.phase === "receiving");
  page.operator.cancelAll();
  await page.until(() => isOver(never));
  assertEquals(never.phase, "cancelled");
});

Deno.test("createSession() connects again when the connection is lost, and requests go on", async () => {
  await using target = startTarget();
  await using service = startService();
  using page = openPage(service);
  page.session.connect();
  await page.until(() => page.session.hello !== undefined);
  page.session.connect();
  assertEquals(page.session.hello, undefined);
  const record = await page.send({ url: `${target.origin}/json` });
  assertEquals([record.phase, record.connection], ["done", 2]);
  page.session.disconnect();
  assertEquals(page.session.state.type, "off");
  const again = await page.send({ url: `${target.origin}/json` });
  assertEquals([again.phase, again.connection], ["done", 3], "what is sent connects");
});

Deno.test("createSession() finds out why a handshake was refused, and tries no more", async () => {
  await using service = startService({ ...LOOPBACK, AUTH_TOKENS: "alice:s3cr3t-token" });
  using page = openPage(service);
  page.session.connect();
  await page.until(() => page.session.state.type === "refused");
  const { verdict } = page.session;
  assertEquals(verdict?.type === "refused" && verdict.code, "unauthorized");
  const record = await page.send({ url: "http://localhost/" });
  assertEquals([record.failure?.code, record.failure?.isRefusal], ["unauthorized", true]);
  page.session.connect("wrong");
  await page.until(() => page.session.state.type === "refused");
  page.session.connect("s3cr3t-token");
  await page.until(() => page.session.hello !== undefined);
  assertEquals([page.session.state.type, page.session.verdict], ["open", undefined]);
  assertEquals(page.session.secrets, ["s3cr3t-token"]);
});

Deno.test("createSession() says that the service cannot be reached, and goes on trying", async () => {
  const service = startService();
  using page = openPage(service);
  page.session.connect();
  await page.until(() => page.session.hello !== undefined);
  await service[Symbol.asyncDispose]();
  await page.until(() => page.session.verdict !== undefined);
  assertEquals(page.session.verdict, { type: "unreachable" });
  await page.until(() => page.session.state.type === "waiting");
});

const VERDICTS = [
  { name: "204", response: new Response(null, { status: 204 }), type: "admitted" },
  {
    name: "a refusal",
    response: Response.json({ error: { code: "rate_limited", message: "m" } }, { status: 429 }),
    type: "refused",
  },
  { name: "a proxy's 404", response: new Response("<h1>", { status: 404 }), type: "refused" },
  { name: "a proxy's 502", response: new Response("<h1>", { status: 502 }), type: "unreachable" },
  {
    name: "an unknown code",
    response: Response.json({ error: { code: "toString" } }, { status: 403 }),
    type: "refused",
  },
] as const;
for (const { name, response, type } of VERDICTS) {
  Deno.test(`createHandshakeCheck() understands ${name}`, async () => {
    const check = createHandshakeCheck({ fetch: () => Promise.resolve(response) });
    assertEquals((await check("token")).type, type);
  });
}

Deno.test("createHandshakeCheck() refuses a token that no header can carry", async () => {
  const check = createHandshakeCheck({ fetch: () => Promise.reject(new TypeError("not asked")) });
  const verdict = await check("tök€n");
  assertEquals(verdict.type === "refused" && verdict.code, "bad_handshake");
  assertEquals((await check("token")).type, "unreachable");
});
