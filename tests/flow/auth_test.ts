/**
 * A credential that ends on an open connection, and another in its place: scenario 8 of PROTOCOL.md and its
 * races.
 */
import { assert, assertEquals, assertFalse } from "@std/assert";
import { encodeChunk } from "../../src/protocol/mod.ts";
import {
  connect,
  connectPlain,
  connectV1,
  type Frame,
  type TestClient,
} from "../helpers/client.ts";
import { type JwksServer, startJwks } from "../helpers/jwks.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { type HttpUpstream, startHttp, startRaw } from "../helpers/upstream.ts";

const TOKENS = { AUTH_TOKENS: "alice:token-of-alice-1,alice:token-of-alice-2,bob:token-of-bob-1" };
/** Seconds that the credentials of these tests last. */
const SHORT = 0.6;

/** A service that goes by a key server, and a server that answers at once, or at `/gated` when it may. */
interface World extends AsyncDisposable {
  readonly jwks: JwksServer;
  readonly service: Service;
  readonly upstream: HttpUpstream;
  /** Lets `/gated` answer. */
  readonly open: () => void;
}

async function startWorld(settings: Record<string, string> = {}): Promise<World> {
  const gate = Promise.withResolvers<void>();
  const jwks = await startJwks();
  const upstream = startHttp(async (request) => {
    if (request.url.endsWith("/gated")) await gate.promise;
    return new Response((await request.text()) || "answer");
  });
  const service = startService({ ...LOOPBACK, JWT_JWKS_URL: jwks.url.href, ...settings });
  return {
    jwks,
    service,
    upstream,
    open: gate.resolve,
    async [Symbol.asyncDispose](): Promise<void> {
      gate.resolve();
      await service[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
      await jwks.close();
    },
  };
}

/** A time in so many seconds: what a token says, and what frames say of it. */
interface Expiry {
  readonly exp: number;
  readonly ms: number;
  readonly text: string;
}

function inSeconds(seconds: number): Expiry {
  const ms = Date.now() + Math.round(seconds * 1000);
  return { exp: ms / 1000, ms, text: new Date(ms).toISOString() };
}

/** Connects with a token and takes `hello`. */
async function enter({ url }: Service, token: string): Promise<[TestClient, Frame]> {
  const encoded = new TextEncoder().encode(token).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
  const client = await connect(url, ["wsfetch.v1", `bearer.${encoded}`]);
  return [client, await client.next()];
}

/** Requests until the credential has ended; gives that refusal, and how many answers came before. */
async function untilExpired(
  client: TestClient,
  { upstream }: World,
): Promise<{ readonly refusal: Frame; readonly answers: number }> {
  for (let answers = 0;; answers++) {
    const id = 1000 + answers;
    const frame = await client.ask({ type: "request", id, url: upstream.origin });
    if (frame.type === "error") return { refusal: frame, answers };
    assertEquals([frame.id, frame.text], [id, "answer"]);
  }
}

/** Fulfils when the wall clock has passed a time, and the service has answered after it. */
async function passes(ms: number, client: TestClient): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms - Date.now()));
  await client.ask({ type: "ping" });
}

async function assertServed(client: TestClient, { upstream }: World, id: number): Promise<void> {
  const { type, text } = await client.ask({ type: "request", id, url: upstream.origin });
  assertEquals([type, text], ["response", "answer"]);
}

/** No line has 12 characters of a secret; the header of a JWT is none. */
function assertHidden({ log }: Service, secret: string): void {
  const text = JSON.stringify(log);
  const parts = /^ey.*\./.test(secret) ? secret.split(".").slice(1) : [secret];
  for (const part of parts.filter((part) => part !== "")) {
    for (let start = 0; start === 0 || start + 12 <= part.length; start++) {
      assertFalse(text.includes(part.slice(start, start + 12)), text);
    }
  }
}

Deno.test("a credential ends with an exchange in flight, and another takes its place (scenario 8)", async () => {
  await using world = await startWorld();
  const { jwks, service, upstream } = world;
  const first = inSeconds(SHORT);
  const [client, hello] = await enter(service, await jwks.sign({ exp: first.exp }));
  await using _client = client;
  assertEquals([hello.identity, hello.expiresAt], ["alice", first.text]);
  client.send({ type: "request", id: 1, url: `${upstream.origin}/gated` });

  const { refusal, answers } = await untilExpired(client, world);
  assert(Date.now() >= first.ms, "it ended too early");
  const { id, code, retryable, sent, message } = refusal;
  assertEquals([id, code, retryable, sent], [1000 + answers, "unauthorized", false, "no"]);
  assert(message.includes("expired"), message);
  assertEquals(upstream.requests.length, answers + 1);
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
  world.open();
  assertEquals((await client.next()).id, 1);

  const second = inSeconds(600);
  const token = await jwks.sign({ exp: second.exp });
  assertEquals(await client.ask({ type: "auth", token }), {
    type: "authenticated",
    identity: "alice",
    expiresAt: second.text,
  });
  await assertServed(client, world, 2);
  const line = await service.logged("authenticated");
  assertEquals([line.identity, line.outcome, line.reason], ["alice", "renewed", undefined]);
  const refused = await service.logged("exchanged", ({ code }) => code === "unauthorized");
  assertEquals([refused.id, refused.outcome, refused.identity], [1000 + answers, "error", "alice"]);
  assertHidden(service, token);
});

Deno.test("a credential that is not renewed ends the connection with 4501", async () => {
  await using world = await startWorld({ AUTH_GRACE_MS: "100" });
  const { ms, exp } = inSeconds(0.2);
  const [client] = await enter(world.service, await world.jwks.sign({ exp }));
  assertEquals(await client.closed, {
    code: 4501,
    reason: "The credential is bad or has expired",
  });
  assert(Date.now() >= ms + 100, "the grace was too short");
  const { code, closedBy } = await world.service.logged("disconnected");
  assertEquals([code, closedBy], [4501, "server"]);
});

Deno.test("4501 comes behind the last exchange in flight", async () => {
  await using world = await startWorld({ AUTH_GRACE_MS: "0" });
  const { exp } = inSeconds(SHORT);
  const [client] = await enter(world.service, await world.jwks.sign({ exp }));
  client.send({ type: "request", id: 1, url: `${world.upstream.origin}/gated` });
  await untilExpired(client, world);
  world.open();
  const { id, text } = await client.next();
  assertEquals([id, text], [1, "answer"]);
  assertEquals((await client.closed).code, 4501);
});

Deno.test("a body that follows goes on when the credential has ended", async () => {
  await using world = await startWorld();
  const { exp } = inSeconds(SHORT);
  const [client] = await enter(world.service, await world.jwks.sign({ exp }));
  await using _client = client;
  const chunk = (text: string, fin: boolean): Uint8Array<ArrayBuffer> =>
    encodeChunk({ id: 1, payload: new TextEncoder().encode(text), fin });
  const url = `${world.upstream.origin}/gated`;
  client.send({ type: "request", id: 1, url, method: "POST", bodyFollows: true });
  client.send(chunk("before ", false));
  world.open();
  await world.service.logged("decided");
  // The grant for what was taken may come at any time.
  const frames: Frame[] = [];
  for (let id = 2; frames.at(-1)?.type !== "error"; id++) {
    client.send({ type: "request", id, url: world.upstream.origin });
    do frames.push(await client.next()); while (frames.at(-1)?.type === "grant");
  }
  assertEquals(frames.at(-1)?.code, "unauthorized");
  client.send(chunk("after", true));
  let frame: Frame;
  do frame = await client.next(); while (frame.type === "grant");
  assertEquals([frame.id, frame.text], [1, "before after"]);
});

Deno.test("a stream that never ends is failed MAX_TIMEOUT_MS after the grace", async () => {
  const left = Promise.withResolvers<void>();
  await using endless = startRaw(async (connection) => {
    await connection.readHead();
    await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nbegun");
    await connection.peerClosed();
    left.resolve();
    connection.close();
  });
  await using world = await startWorld({
    AUTH_GRACE_MS: "100",
    MAX_TIMEOUT_MS: "500",
    REQUEST_TIMEOUT_MS: "500",
  });
  const { ms, exp } = inSeconds(SHORT);
  const [client] = await enter(world.service, await world.jwks.sign({ exp }));
  const request = { type: "request", id: 1, url: endless.origin, stream: true };
  assertEquals((await client.ask(request)).stream, true);
  assertEquals((await client.next()).payload.byteLength, 5);
  const { id, code, retryable, sent, message } = await client.next();
  assert(Date.now() >= ms + 600, "it was cut off too early");
  assertEquals([id, code, retryable, sent], [1, "unauthorized", true, "yes"]);
  assert(message.includes("expired"), message);
  assertEquals((await client.closed).code, 4501);
  await left.promise;
});

Deno.test("a credential that comes in the grace keeps the connection open", async () => {
  await using world = await startWorld({ AUTH_GRACE_MS: "600" });
  const first = inSeconds(SHORT);
  const [client] = await enter(world.service, await world.jwks.sign({ exp: first.exp }));
  await untilExpired(client, world);
  const second = inSeconds(1.5);
  const token = await world.jwks.sign({ exp: second.exp });
  assertEquals((await client.ask({ type: "auth", token })).expiresAt, second.text);
  await assertServed(client, world, 1);
  const { answers } = await untilExpired(client, world);
  assert(answers > 0);
  assertEquals((await client.closed).code, 4501);
  assert(Date.now() >= second.ms + 600, "the first credential's grace has closed it");
});

Deno.test("a credential that comes behind the grace counts while an exchange is in flight", async () => {
  await using world = await startWorld({ AUTH_GRACE_MS: "0" });
  const { jwks, service, upstream } = world;
  const { ms, exp } = inSeconds(SHORT);
  const [client] = await enter(service, await jwks.sign({ exp }));
  await using _client = client;
  client.send({ type: "request", id: 1, url: `${upstream.origin}/gated` });
  await passes(ms + 100, client); // the timer may be late
  const token = await jwks.sign();
  assertEquals((await client.ask({ type: "auth", token })).type, "authenticated");
  world.open();
  assertEquals((await client.next()).id, 1);
  await assertServed(client, world, 2);
});

Deno.test("a credential may be renewed before its end, and then ends later", async () => {
  await using world = await startWorld({ AUTH_GRACE_MS: "0" });
  const first = inSeconds(SHORT);
  const [client] = await enter(world.service, await world.jwks.sign({ exp: first.exp }));
  const second = inSeconds(1.2);
  const token = await world.jwks.sign({ exp: second.exp });
  assertEquals((await client.ask({ type: "auth", token })).expiresAt, second.text);
  assertEquals((await client.closed).code, 4501);
  assert(Date.now() >= second.ms, "the first credential has closed it");
});

Deno.test("a credential may be renewed by one that ends earlier", async () => {
  await using world = await startWorld({ AUTH_GRACE_MS: "0" });
  const [client] = await enter(world.service, await world.jwks.sign({ exp: inSeconds(600).exp }));
  const { exp, text } = inSeconds(0.2);
  const token = await world.jwks.sign({ exp });
  assertEquals((await client.ask({ type: "auth", token })).expiresAt, text);
  assertEquals((await client.closed).code, 4501);
});

Deno.test("a static token does not take the place of a JWT, whatever its sub", async () => {
  await using world = await startWorld(TOKENS);
  const [client] = await enter(world.service, await world.jwks.sign({ sub: "carol" }));
  await using _client = client;
  client.send({ type: "auth", token: "token-of-alice-1" });
  assertEquals((await client.closed).code, 4501);
});

Deno.test("a static token is renewed by another of the same name", async () => {
  await using world = await startWorld(TOKENS);
  const [client, hello] = await enter(world.service, "token-of-alice-1");
  await using _client = client;
  assertEquals([hello.identity, hello.expiresAt], ["alice", null]);
  for (const token of ["token-of-alice-2", "token-of-alice-2", "token-of-alice-1"]) {
    const answer = await client.ask({ type: "auth", token });
    assertEquals(answer, { type: "authenticated", identity: "alice", expiresAt: null });
  }
  await assertServed(client, world, 1);
  for (const token of ["token-of-alice-1", "token-of-alice-2"]) assertHidden(world.service, token);
});

Deno.test("where nobody is asked for a credential, any is as good as none", async () => {
  await using service = startService();
  await using client = await connectV1(service.url);
  for (const token of ["some-token-or-other", "", "not a token at all"]) {
    const answer = await client.ask({ type: "auth", token });
    assertEquals(answer, { type: "authenticated", identity: null, expiresAt: null });
  }
  const line = await service.logged("authenticated");
  assertEquals([line.identity, line.outcome], [undefined, "renewed"]);
  for (const secret of ["some-token-or-other", "not a token at all"]) assertHidden(service, secret);
});

Deno.test("of auth frames that come at once each is answered, and the last one counts", async () => {
  await using world = await startWorld(TOKENS);
  const [client] = await enter(world.service, "token-of-alice-1");
  await using _client = client;
  for (let times = 0; times < 10; times++) {
    client.send({ type: "auth", token: `token-of-alice-${1 + times % 2}` });
  }
  for (const { type, retryable } of await client.take(10)) {
    assert(type === "authenticated" || type === "error" && retryable);
  }
  assertEquals((await client.ask({ type: "auth", token: "token-of-alice-1" })).identity, "alice");
});

const REFUSED: Readonly<Record<string, (jwks: JwksServer) => string | Promise<string>>> = {
  "a token that nobody has": () => "nobody-has-this-token",
  "another identity's token": () => "token-of-bob-1",
  "another identity's JWT": (jwks) => jwks.sign({ sub: "bob" }),
  "the identity in other letters": (jwks) => jwks.sign({ sub: "Alice" }),
  "an expired JWT": (jwks) => jwks.sign({ exp: inSeconds(-60).exp }),
  "a JWT that is not valid yet": (jwks) => jwks.sign({ nbf: inSeconds(60).exp }),
  "a JWT of a stranger's key": (jwks) =>
    jwks.sign({}, { alg: "HS256", key: new TextEncoder().encode("a-stranger's-key".repeat(4)) }),
  "an unsigned JWT": () => `${btoa('{"alg":"none"}')}.${btoa('{"sub":"alice","exp":9e9}')}.`,
  "an empty token": () => "",
  "a token with its scheme": () => "Bearer token-of-alice-1",
  "a token with a space behind it": () => "token-of-alice-1 ",
  "a token with a null character": () => "token-of-alice-1\0",
  "two tokens": () => "token-of-alice-1,token-of-alice-2",
  "a huge token": () => "hUgE-tOkEn+".repeat(10_000),
  "a lone surrogate": () => "token-of-alice-\ud800",
};
for (const [name, makeToken] of Object.entries(REFUSED)) {
  Deno.test(`an auth frame with ${name} closes the connection with 4501`, async () => {
    await using world = await startWorld(TOKENS);
    const { jwks, service, upstream } = world;
    const [client] = await enter(service, "token-of-alice-1");
    const token = await makeToken(jwks);
    client.send({ type: "request", id: 1, url: `${upstream.origin}/gated` });
    await service.logged("decided");
    client.send({ type: "auth", token });
    assertEquals(await client.next().catch(() => "nothing"), "nothing");
    assertEquals((await client.closed).code, 4501);
    const { identity, outcome, reason } = await service.logged("authenticated");
    assertEquals([identity, outcome, typeof reason], ["alice", "refused", "string"]);
    assertEquals((await service.logged("exchanged")).outcome, "cancelled");
    const { code, closedBy } = await service.logged("disconnected");
    assertEquals([code, closedBy], [4501, "server"]);
    assertHidden(service, token);
    assertEquals(service.log.filter(({ event }) => event === "failed"), []);
  });
}

const TOKEN = "a-token-that-must-not-be-told";
const MALFORMED: Readonly<Record<string, object>> = {
  "no token": { type: "auth" },
  "a number": { type: "auth", token: 1234567890123 },
  "null": { type: "auth", token: null },
  "a list": { type: "auth", token: [TOKEN] },
  "an object": { type: "auth", token: { value: TOKEN } },
  "a field too many": { type: "auth", token: TOKEN, scheme: "Bearer" },
  "an id": { type: "auth", token: TOKEN, id: 1 },
  "a token of another name": { type: "auth", Token: TOKEN },
};
for (const [name, frame] of Object.entries(MALFORMED)) {
  Deno.test(`an auth frame with ${name} is an error, and the connection lives on`, async () => {
    await using world = await startWorld(TOKENS);
    const [client] = await enter(world.service, "token-of-alice-1");
    await using _client = client;
    client.send({ type: "request", id: 1, url: `${world.upstream.origin}/gated` });
    const error = await client.ask(frame);
    assertEquals([error.type, "id" in error, error.code], ["error", false, "bad_request"]);
    assertFalse(JSON.stringify(error).includes(TOKEN.slice(0, 12)));
    world.open();
    assertEquals((await client.next()).id, 1);
    await assertServed(client, world, 2);
    assertEquals(world.service.log.filter(({ event }) => event === "authenticated"), []);
    assertHidden(world.service, TOKEN);
  });
}

Deno.test("there is no auth in the plain dialect", async () => {
  await using service = startService();
  await using client = await connectPlain(service.url);
  const error = await client.ask({ type: "auth", token: TOKEN });
  assertEquals(error.code, "bad_request");
  assertFalse(JSON.stringify(error).includes(TOKEN.slice(0, 12)));
  assertHidden(service, TOKEN);
  assertEquals((await client.ask("junk")).code, "bad_frame");
});

Deno.test("a credential ends in the plain dialect too", async () => {
  await using world = await startWorld({ AUTH_GRACE_MS: "100" });
  const { exp } = inSeconds(SHORT);
  const options = { headers: { authorization: `Bearer ${await world.jwks.sign({ exp })}` } };
  // What the WebSocket of Deno can send, and that of browsers, whose types count here, cannot.
  const webSocket = new WebSocket(world.service.url, options as object as string[]);
  const closed = new Promise<CloseEvent>((resolve) => webSocket.onclose = resolve);
  const refused = new Promise<Frame>((resolve) => {
    const ask = (): void =>
      webSocket.send(JSON.stringify({ url: world.upstream.origin, method: "GET" }));
    webSocket.onopen = ask;
    webSocket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.status_code === 200) ask();
      else resolve(frame);
    };
  });
  const { error, code } = await refused;
  assertEquals([typeof error, code], ["string", "unauthorized"]);
  assertEquals((await closed).code, 4501);
});

Deno.test("a credential may be renewed while the service drains", async () => {
  await using world = await startWorld({ DRAIN_MS: "60000" });
  const { jwks, service, upstream } = world;
  const [client] = await enter(service, await jwks.sign());
  client.send({ type: "request", id: 1, url: `${upstream.origin}/gated` });
  await service.logged("decided");
  const drained = service.app.drain();
  assertEquals((await client.next()).type, "goaway");
  const token = await jwks.sign();
  assertEquals((await client.ask({ type: "auth", token })).type, "authenticated");
  world.open();
  assertEquals((await client.next()).id, 1);
  assertEquals((await client.closed).code, 1001);
  await drained;
});

Deno.test("the end of a credential while the service drains does not change how the connection ends", async () => {
  await using world = await startWorld({ DRAIN_MS: "60000", AUTH_GRACE_MS: "0" });
  const { jwks, service, upstream } = world;
  const { ms, exp } = inSeconds(SHORT);
  const [client] = await enter(service, await jwks.sign({ exp }));
  client.send({ type: "request", id: 1, url: `${upstream.origin}/gated` });
  await service.logged("decided");
  const drained = service.app.drain();
  assertEquals((await client.next()).type, "goaway");
  await passes(ms + 50, client);
  world.open();
  assertEquals((await client.next()).id, 1);
  assertEquals((await client.closed).code, 1001);
  await drained;
});
