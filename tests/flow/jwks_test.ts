/**
 * The operator's key server: its keys change, it breaks, it hangs, and those who are in, or come with a key
 * that is known, do not notice.
 */
import { assert, assertEquals, assertFalse } from "@std/assert";
import { connect, type Frame, type TestClient } from "../helpers/client.ts";
import { type JwksAnswer, type JwksServer, startJwks } from "../helpers/jwks.ts";
import { connectRaw, HANDSHAKE, type RawClient } from "../helpers/raw_client.ts";
import { LOOPBACK, type Service, startService } from "../helpers/service.ts";
import { type HttpUpstream, latin1, startHttp } from "../helpers/upstream.ts";

/** A key server, a service that goes by it, and something to request. */
interface World extends AsyncDisposable {
  readonly jwks: JwksServer;
  readonly service: Service;
  readonly upstream: HttpUpstream;
}

async function startWorld(settings: Record<string, string> = {}): Promise<World> {
  const jwks = await startJwks();
  const upstream = startHttp(() => new Response("answer"));
  const service = startService({ ...LOOPBACK, JWT_JWKS_URL: jwks.url.href, ...settings });
  return {
    jwks,
    service,
    upstream,
    async [Symbol.asyncDispose](): Promise<void> {
      await jwks.close(); // first: a handshake may wait for it
      await service[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

function offer(token: string): string {
  const encoded = new TextEncoder().encode(token).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
  return `bearer.${encoded}`;
}

/** Connects with a token and takes `hello`, which has to name the identity. */
async function enter({ url }: Service, token: string, identity = "alice"): Promise<TestClient> {
  const client = await connect(url, ["wsfetch.v1", offer(token)]);
  const hello = await client.next();
  assertEquals([hello.type, hello.identity], ["hello", identity]);
  return client;
}

function knock({ port }: Service, token: string): Promise<RawClient> {
  return connectRaw(port, { authorization: `Bearer ${token}` });
}

async function assertServed(client: TestClient, { upstream }: World, id: number): Promise<void> {
  const { type, text } = await client.ask({ type: "request", id, url: upstream.origin });
  assertEquals([type, text], ["response", "answer"]);
}

function assertUnavailable(answer: string): void {
  assert(answer.startsWith("HTTP/1.1 503 "), answer);
  assert(answer.includes('{"error":{"code":"authentication_unavailable"'), answer);
  assert(/^retry-after: [1-9]\d*\r$/im.test(answer), answer);
  assertFalse(/^www-authenticate:/im.test(answer), answer);
}

function eventsOf({ log }: Service, event: string): readonly Frame[] {
  return log.filter((line) => line.event === event);
}

/** No line has a piece of a token's payload or signature: the header is the same in all of them. */
function assertHidden({ log }: Service, token: string): void {
  const text = JSON.stringify(log);
  for (const part of token.split(".").slice(1)) {
    for (let start = 0; start + 12 <= part.length; start++) {
      assertFalse(text.includes(part.slice(start, start + 12)), text);
    }
  }
}

Deno.test("a rotation of the keys lets open connections go on, and newcomers in at once", async () => {
  await using world = await startWorld();
  const { jwks, service } = world;
  await using old = await enter(service, await jwks.sign());
  await jwks.rotate("key-2");
  await assertServed(old, world, 1);
  await using newcomer = await enter(service, await jwks.sign({ sub: "bob" }), "bob");
  await assertServed(newcomer, world, 1);
  const exp = Math.floor(Date.now() / 1000) + 600;
  assertEquals(await old.ask({ type: "auth", token: await jwks.sign({ exp }) }), {
    type: "authenticated",
    identity: "alice",
    expiresAt: new Date(exp * 1000).toISOString(),
  });
  await assertServed(old, world, 2);
  assertEquals(jwks.requests(), 2);
});

Deno.test("a new key reaches the service by an auth frame as well", async () => {
  await using world = await startWorld();
  const { jwks, service } = world;
  await using client = await enter(service, await jwks.sign());
  await jwks.rotate("key-2");
  const { type } = await client.ask({ type: "auth", token: await jwks.sign() });
  assertEquals([type, jwks.requests()], ["authenticated", 2]);
});

Deno.test("a key that was removed lets nobody in once the keys were fetched again", async () => {
  await using world = await startWorld();
  const { jwks, service } = world;
  const removed = await jwks.sign();
  await using old = await enter(service, removed);
  await jwks.rotate("key-2");
  await using _newcomer = await enter(service, await jwks.sign());
  using refused = await knock(service, removed);
  assert(refused.answer.startsWith("HTTP/1.1 401 "), refused.answer);
  await assertServed(old, world, 1);
  old.send({ type: "auth", token: removed });
  assertEquals((await old.closed).code, 4501);
  assertHidden(service, removed);
});

const OUTAGES: Readonly<Record<string, (jwks: JwksServer) => void | Promise<void>>> = {
  "answers 500": (jwks) => jwks.answer("fail"),
  "answers no key set": (jwks) => jwks.answer("garbage"),
  "refuses connections": (jwks) => jwks.close(),
};
for (const [name, begin] of Object.entries(OUTAGES)) {
  Deno.test(`a key server that ${name} keeps those out whose key is unknown, and no others`, async () => {
    await using world = await startWorld();
    const { jwks, service } = world;
    await using client = await enter(service, await jwks.sign());
    await jwks.addKey("key-2");
    const unknown = await jwks.sign();
    const known = await jwks.sign({ sub: "bob" }, { kid: "key-1" });
    await begin(jwks);

    await assertServed(client, world, 1);
    const renewal = await jwks.sign({}, { kid: "key-1" });
    assertEquals((await client.ask({ type: "auth", token: renewal })).type, "authenticated");
    await using newcomer = await enter(service, known, "bob");
    await assertServed(newcomer, world, 1);

    using refused = await knock(service, unknown);
    assertUnavailable(refused.answer);
    const { status, code } = await service.logged("refused");
    assertEquals([status, code], [503, "authentication_unavailable"]);

    const error = await client.ask({ type: "auth", token: unknown });
    assertEquals(
      [error.type, "id" in error, error.code, error.retryable, error.sent],
      ["error", false, "unauthorized", true, "no"],
    );
    assert(error.retryAfterMs > 0);
    const { outcome } = await service.logged("authenticated", (line) => line.outcome !== "renewed");
    assertEquals(outcome, "refused");
    await assertServed(client, world, 2);
    assertEquals((await client.ask({ type: "auth", token: renewal })).type, "authenticated");
    assertEquals(eventsOf(service, "failed").length, 2, "one line for each fetch");
    for (const token of [unknown, known, renewal]) assertHidden(service, token);
  });
}

for (const answer of ["fail", "garbage"] satisfies JwksAnswer[]) {
  Deno.test(`nobody gets in before the first keys have come (${answer}), and everybody then`, async () => {
    await using world = await startWorld();
    const { jwks, service } = world;
    jwks.answer(answer);
    const token = await jwks.sign();
    using refused = await knock(service, token);
    assertUnavailable(refused.answer);
    assertEquals(eventsOf(service, "connected"), []);
    jwks.answer("keys");
    await using client = await enter(service, token);
    await assertServed(client, world, 1);
  });
}

Deno.test("static tokens count while the key server is broken, and other tokens get 503", async () => {
  await using world = await startWorld({ AUTH_TOKENS: "bob:the-token-of-bob" });
  const { jwks, service } = world;
  jwks.answer("fail");
  await using client = await enter(service, "the-token-of-bob", "bob");
  await assertServed(client, world, 1);
  assertEquals(jwks.requests(), 0);
  using refused = await knock(service, await jwks.sign());
  assertUnavailable(refused.answer);
});

Deno.test("what is no JWT is refused although the key server is broken", async () => {
  await using world = await startWorld();
  const { jwks, service } = world;
  await using _client = await enter(service, await jwks.sign());
  jwks.answer("fail");
  using refused = await knock(service, "this-is-no-jwt");
  assert(refused.answer.startsWith("HTTP/1.1 401 "), refused.answer);
  assertEquals(jwks.requests(), 1);
});

Deno.test("a key server that hangs holds up only those whose key is unknown", async () => {
  await using world = await startWorld();
  const { jwks, service } = world;
  await using client = await enter(service, await jwks.sign());
  await jwks.addKey("key-2");
  jwks.answer("hang");
  const waiting = enter(service, await jwks.sign({ sub: "carol" }), "carol");
  await jwks.requested(2);
  const known = await jwks.sign({ sub: "bob" }, { kid: "key-1" });
  for (let times = 0; times < 3; times++) {
    await using newcomer = await enter(service, known, "bob");
    await assertServed(newcomer, world, 1);
  }
  const renewal = await jwks.sign({}, { kid: "key-1" });
  assertEquals((await client.ask({ type: "auth", token: renewal })).type, "authenticated");
  const connected = eventsOf(service, "connected").map(({ identity }) => identity);
  assertEquals(connected, ["alice", "bob", "bob", "bob"]);
  jwks.answer("keys");
  await using late = await waiting;
  await assertServed(late, world, 1);
});

Deno.test("an auth frame that waits for the key server holds nothing else up", async () => {
  await using world = await startWorld();
  const { jwks, service } = world;
  await using client = await enter(service, await jwks.sign());
  await jwks.addKey("key-2");
  jwks.answer("hang");
  const token = await jwks.sign();
  client.send({ type: "auth", token });
  await jwks.requested(2);
  await assertServed(client, world, 1);
  const second = await client.ask({ type: "auth", token });
  assertEquals([second.type, "id" in second, second.retryable], ["error", false, true]);
  jwks.answer("keys");
  assertEquals((await client.next()).type, "authenticated");
  await assertServed(client, world, 2);
});

Deno.test("a client that leaves while its auth frame waits for the key server is forgotten", async () => {
  await using world = await startWorld({ MAX_CONNECTIONS: "1", LIMIT_CONNECTIONS: "1" });
  const { jwks, service } = world;
  const known = await jwks.sign();
  {
    await using client = await enter(service, known);
    await jwks.addKey("key-2");
    jwks.answer("hang");
    client.send({ type: "auth", token: await jwks.sign() });
    await jwks.requested(2);
  }
  await service.logged("disconnected");
  await using next = await enter(service, known);
  jwks.answer("keys");
  await service.logged("authenticated");
  await assertServed(next, world, 1);
  assertEquals(eventsOf(service, "failed"), []);
});

Deno.test("a client that leaves while its handshake waits for a key server that fails gives its place back", async () => {
  await using world = await startWorld({ MAX_CONNECTIONS: "1", LIMIT_CONNECTIONS: "1" });
  const { jwks, service } = world;
  jwks.answer("hang");
  const token = await jwks.sign();
  await knockAndLeave(service, token, () => jwks.requested(1));
  jwks.answer("fail");
  await service.logged("refused", ({ code }) => code === "authentication_unavailable");
  jwks.answer("keys");
  await using client = await enter(service, token);
  await assertServed(client, world, 1);
  assertEquals(eventsOf(service, "failed").length, 1, "the key server's own");
});

Deno.test("a client that leaves while its handshake waits for keys that let it in gives its place back", async () => {
  await using world = await startWorld({ MAX_CONNECTIONS: "1", LIMIT_CONNECTIONS: "1" });
  const { jwks, service } = world;
  jwks.answer("hang");
  const token = await jwks.sign();
  await knockAndLeave(service, token, () => jwks.requested(1));
  jwks.answer("keys");
  await service.logged("refused", ({ reason }) => String(reason).includes("disconnected"));
  await using client = await enter(service, token);
  await assertServed(client, world, 1);
});

/** Sends a handshake and closes the TCP connection when `then` has happened. */
async function knockAndLeave(
  { port }: Service,
  token: string,
  then: () => Promise<void>,
): Promise<void> {
  using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  const fields = Object.entries({ ...HANDSHAKE, authorization: `Bearer ${token}` });
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  await connection.write(latin1(`GET /ws HTTP/1.1\r\n${head}\r\n`));
  await then();
}

Deno.test("a handshake that waits for the key server while the drain begins gets no service", async () => {
  await using world = await startWorld({ DRAIN_MS: "5000" });
  const { jwks, service } = world;
  jwks.answer("hang");
  const knocking = knock(service, await jwks.sign());
  await jwks.requested(1);
  await service.app.drain();
  jwks.answer("keys");
  using refused = await knocking;
  assert(refused.answer.startsWith("HTTP/1.1 503 "), refused.answer);
  assert(refused.answer.includes("draining"), refused.answer);
});

Deno.test("20 first handshakes fetch the keys once", async () => {
  await using world = await startWorld();
  const { jwks, service } = world;
  jwks.answer("hang");
  const subjects = Array.from({ length: 20 }, (_, at) => `user-${at}`);
  const entering = subjects.map(async (sub) => enter(service, await jwks.sign({ sub }), sub));
  await jwks.requested(1);
  jwks.answer("keys");
  const clients = await Promise.all(entering);
  assertEquals(jwks.requests(), 1);
  await using stack = new AsyncDisposableStack();
  clients.forEach((client) => stack.use(client));
  await Promise.all(clients.map((client) => assertServed(client, world, 1)));
});

Deno.test("20 handshakes with unknown keys fetch the keys once more, and are refused", async () => {
  await using world = await startWorld();
  const { jwks, service } = world;
  await using _client = await enter(service, await jwks.sign());
  const signing = Array.from({ length: 20 }, (_, at) => jwks.sign({}, { kid: `unknown-${at}` }));
  const answers = await Promise.all((await Promise.all(signing)).map(async (token) => {
    using client = await knock(service, token);
    return client.answer;
  }));
  for (const answer of answers) assert(answer.startsWith("HTTP/1.1 401 "), answer);
  assertEquals(jwks.requests(), 2);
});
