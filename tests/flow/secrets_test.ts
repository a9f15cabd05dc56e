/**
 * Everything that can be secret is a text of its own here, and everything that the service says, in whatever
 * trouble, is searched for it.
 */
import { assert, assertEquals } from "@std/assert";
import { SignJWT } from "jose";
import { ERROR_CODES } from "../../src/protocol/mod.ts";
import type { Frame } from "../helpers/client.ts";
import { startCommand } from "../helpers/process.ts";
import { connectRaw } from "../helpers/raw_client.ts";
import {
  assertSilent,
  CONFIGURED,
  findLeaks,
  OWN,
  type Secrets,
  SHORT,
} from "../helpers/secrets.ts";
import { latin1, startHttp, startRaw } from "../helpers/upstream.ts";

Deno.test("the search finds a secret in every spelling, wherever it stands", () => {
  for (const [name, secret] of Object.entries({ ...CONFIGURED, ...OWN })) {
    const bytes = (before: string): Uint8Array => latin1(`${before}${secret}`);
    const texts = [
      secret,
      encodeURIComponent(secret),
      encodeURIComponent(secret).replaceAll("%2F", "%2f").replaceAll("%2B", "%2b"),
      bytes("").toHex(),
      ...["", "a", "ab", "Bearer ", "user:"].flatMap((before) => [
        bytes(before).toBase64(),
        bytes(before).toBase64({ alphabet: "base64url", omitPadding: true }),
      ]),
    ];
    for (const text of texts) {
      const line = JSON.stringify({ event: "planted", text: `<${text}>` });
      assert(findLeaks(line, { ...CONFIGURED, ...OWN }).includes(name), `${name} as ${text}`);
    }
    const { [name]: _, ...others } = { ...CONFIGURED, ...OWN } as Secrets;
    assertSilent(secret, others, "it finds nothing else");
  }
});

/** The service, and all that it has written. */
interface Captured extends AsyncDisposable {
  readonly port: number;
  output(): string;
  /** Fulfils when the output has so many places like this. */
  wrote(pattern: RegExp, count?: number): Promise<void>;
  kill(signal: Deno.Signal): void;
  readonly status: Promise<Deno.CommandStatus>;
}

async function startCaptured(settings: Record<string, string>): Promise<Captured> {
  const child = startCommand({ PORT: "0", ...settings }).spawn();
  let output = "";
  let ended = false;
  const watchers = new Set<() => void>();
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      for (const watch of watchers) watch();
    }
  };
  const reading = [read(child.stdout), read(child.stderr)];
  const status = Promise.all([child.status, ...reading]).then(([status]) => {
    ended = true;
    return status;
  });
  const wrote = (pattern: RegExp, count = 1): Promise<void> => {
    const written = new Promise<void>((resolve) => {
      const watch = (): void => {
        if ([...output.matchAll(pattern)].length < count) return;
        watchers.delete(watch);
        resolve();
      };
      watchers.add(watch);
      watch();
    });
    const gone = status.then(() => Promise.reject(new Error(`The service has ended: ${output}`)));
    return Promise.race([written, gone]);
  };
  await wrote(/started.*\n/g);
  return {
    port: Number(/http:\/\/127\.0\.0\.1:(\d+)\//.exec(output)?.[1]),
    output: () => output,
    wrote,
    kill: (signal) => child.kill(signal),
    status,
    async [Symbol.asyncDispose](): Promise<void> {
      if (!ended) child.kill("SIGKILL");
      await status;
    },
  };
}

/** A connection whose every frame, and whose end, is noted. */
interface Talk extends AsyncDisposable {
  send(frame: object | string | Uint8Array<ArrayBuffer>): void;
  next(): Promise<Frame>;
  ask(frame: object | string | Uint8Array<ArrayBuffer>): Promise<Frame>;
  readonly closed: Promise<number>;
}

/** What the service has said, beside its output. */
interface Said {
  /** Responses hold what the client has asked for: its own path, and what the destination echoes. */
  readonly responses: string[];
  /** Everything else: other frames, reasons of closes, pages and refusals with their header fields. */
  readonly others: string[];
}

async function talk(
  { port }: Captured,
  { protocols = ["wsfetch.v1"], token }: { protocols?: string[]; token: string },
  { responses, others }: Said,
): Promise<Talk> {
  const options = { protocols, headers: { authorization: `Bearer ${token}` } };
  // What the WebSocket of Deno can send, and that of browsers, whose types count here, cannot.
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/ws`, options as object as string[]);
  const frames: Frame[] = [];
  const takers: ((frame: Frame) => void)[] = [];
  const closed = Promise.withResolvers<number>();
  webSocket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    const isResponse = frame.type === "response" || "status_code" in frame;
    (isResponse ? responses : others).push(data);
    const take = takers.shift();
    if (take === undefined) frames.push(frame);
    else take(frame);
  };
  webSocket.onclose = ({ code, reason }) => {
    others.push(`${code} ${reason}`);
    for (const take of takers) take({ code: "closed" });
    closed.resolve(code);
  };
  await Promise.race([
    new Promise((resolve) => webSocket.onopen = resolve),
    closed.promise.then(() => Promise.reject(new Error("The handshake was refused"))),
  ]);
  const self: Talk = {
    send(frame): void {
      const isReady = typeof frame === "string" || frame instanceof Uint8Array;
      webSocket.send(isReady ? frame : JSON.stringify(frame));
    },
    next: () => {
      const frame = frames.shift();
      return frame === undefined ? new Promise((resolve) => takers.push(resolve)) : frame;
    },
    ask(frame): Promise<Frame> {
      self.send(frame);
      return self.next();
    },
    closed: closed.promise,
    async [Symbol.asyncDispose](): Promise<void> {
      webSocket.close();
      await closed.promise;
    },
  };
  if (protocols.length > 0) await self.next(); // hello
  return self;
}

/** Header fields that repeat what a request brought, as careless servers do. */
function echo(headers: Headers): [string, string][] {
  return [...headers].flatMap(([name, value], index): [string, string][] => [
    [`x-echo-${name}`, value],
    [`x-percent-${index}`, encodeURIComponent(value)],
    [`x-base64-${index}`, btoa(value)],
    [`x-part-${index}`, `got "${value.replace(/^\w+ /, "")}"!`],
    ["set-cookie", `seen${index}=${value}; Path=/`],
  ]);
}

function startEcho(): ReturnType<typeof startHttp> & { readonly seen: string[] } {
  const seen: string[] = [];
  const answer = async (request: Request): Promise<Response> => {
    const { url, headers } = request;
    const [, kind = ""] = /\/v1\/([^/?]*)/.exec(url) ?? [];
    seen.push(`${url} ${JSON.stringify([...headers])} ${await request.text().catch(() => "")}`);
    const credential = headers.get("authorization") ?? "";
    const to = (location: string): Response =>
      new Response("moved", { status: 302, headers: [...echo(headers), ["location", location]] });
    const query = `?t=${encodeURIComponent(credential)}`;
    if (kind === "hang") return await new Promise<Response>(() => {});
    if (kind === "out") return to(`/outside${query}`);
    if (kind === "away") return to(`http://10.0.0.1/${query}`);
    if (kind === "data") return to(`data:text/plain,${query}`);
    if (kind === "loop") return to(`/v1/loop${query}`);
    if (kind === "there") return to(`/v1/ok${query}`);
    if (kind === "location") return to(`http://[${credential}`);
    const coding: [string, string][] = kind === "gzip" ? [["content-encoding", "gzip"]] : [];
    return new Response(kind === "big" ? "x".repeat(10_000) : "fine", {
      status: kind === "busy" || kind === "health" ? 503 : 200,
      headers: [...echo(headers), ...coding],
    });
  };
  return Object.assign(startHttp(answer), { seen });
}

/** A server that answers as none should, with the credential in it. */
const startRude = (): ReturnType<typeof startRaw> =>
  startRaw(async (connection) => {
    const head = await connection.readHead();
    const [, kind] = /^\S+ \/v1\/([^/?]*)/.exec(head) ?? [];
    const [, credential = ""] = /^authorization: (.*)\r$/im.exec(head) ?? [];
    const answers: Readonly<Record<string, string>> = {
      short: `HTTP/1.1 200 ${credential}\r\nx-a: ${credential}\r\ncontent-length: 99\r\n\r\nx`,
      garbage: `HTTQ ${credential}\r\n\r\n`,
      field: `HTTP/1.1 200 OK\r\n${credential}\r\n\r\n`,
      length: `HTTP/1.1 200 OK\r\ncontent-length: ${credential}\r\n\r\n`,
      switch: `HTTP/1.1 101 ${credential}\r\nupgrade: ${credential}\r\n\r\n`,
      status: `HTTP/1.1 200 ${credential}\r\ncontent-length: 0\r\n\r\n`,
    };
    await connection.write(answers[kind ?? ""] ?? "");
    connection.close();
  });

const [cert, key] = ["localhost.pem", "localhost.key"].map((name) =>
  Deno.readTextFileSync(new URL(`../helpers/certificates/${name}`, import.meta.url))
);

/** Upstream, path, and the code of the error; the same is asked of the upstream's URL. */
const TROUBLES = [
  ["api", "/ok", undefined],
  ["api", "/there", undefined],
  ["api", "/out", "http_request_denied"],
  ["api", "/away", "destination_ip_prohibited"],
  ["api", "/data", "http_request_denied"],
  ["api", "/loop", "too_many_redirects"],
  ["api", "/location", "http_protocol_error"],
  ["api", "/big", "http_response_body_size"],
  ["api", "/gzip", "http_response_content_coding"],
  ["api", "/hang", "http_response_timeout"],
  ["rude", "/close", "connection_terminated"],
  ["rude", "/short", "http_response_incomplete"],
  ["rude", "/garbage", "http_protocol_error"],
  ["rude", "/field", "http_protocol_error"],
  ["rude", "/length", "http_protocol_error"],
  ["rude", "/switch", "http_protocol_error"],
  ["rude", "/status", undefined],
  ["refused", "/ok", "connection_refused"],
  ["nowhere", "/ok", "dns_error"],
  ["plain-tls", "/ok", "tls_protocol_error"],
  ["untrusted", "/ok", "tls_certificate_error"],
] as const;

// The others need a destination that swallows packets, or a bug.
const NOT_PROVOKED = [
  "connection_timeout",
  "dns_timeout",
  "proxy_internal_error",
  "proxy_overloaded",
];
const PROVOKED = Object.keys(ERROR_CODES).filter((code) => !NOT_PROVOKED.includes(code)).toSorted();

const OWN_HEADERS = {
  authorization: `Bearer ${OWN.bearer}`,
  cookie: `sid=${OWN.cookie}`,
  "x-api-key": OWN.key,
};

for (const format of ["json", "pretty"]) {
  Deno.test(`no secret is in anything that the service says, logged as ${format}`, async () => {
    await using echoing = startEcho();
    await using rude = startRude();
    await using untrusted = startHttp(() => new Response(), {
      cert: cert ?? "",
      key: key ?? "",
    });
    const closed = startHttp(() => new Response());
    await closed[Symbol.asyncDispose]();
    const directory = await Deno.makeTempDir();
    await using cleaning = new AsyncDisposableStack();
    cleaning.defer(() => Deno.remove(directory, { recursive: true }));
    const [json, file] = [`${directory}/upstreams.json`, `${directory}/key`];

    const headers = {
      authorization: "Bearer ${env:UPSTREAM_KEY}",
      "x-file": `\${file:${file}}`,
      "x-inline": CONFIGURED.inline,
      "x-basic": `Basic ${btoa(`user:${CONFIGURED.password}`)}`,
    };
    const origins = {
      api: `${echoing.origin}/v1`,
      rude: `${rude.origin}/v1`,
      refused: closed.origin,
      nowhere: "http://nowhere.invalid",
      "plain-tls": echoing.origin.replace("http:", "https:"),
      untrusted: untrusted.origin,
    };
    const breaker = { failures: 1, openMs: 100 };
    const upstreams = {
      ...Object.fromEntries(
        Object.entries(origins).map(([name, baseUrl]) => [name, { baseUrl, headers }]),
      ),
      bobs: { baseUrl: origins.api, headers, identities: ["bob"] },
      narrow: { baseUrl: origins.api, headers, methods: ["GET"], paths: ["/ok"] },
      single: { baseUrl: origins.api, headers, maxInFlight: 1 },
      fragile: {
        baseUrl: origins.api,
        headers,
        breaker,
        health: "/health",
        retry: { attempts: 2, backoffMs: 1 },
      },
    };
    await Deno.writeTextFile(file, `${CONFIGURED.file}\n`);
    await Deno.writeTextFile(json, JSON.stringify(upstreams));

    await using service = await startCaptured({
      LOG_LEVEL: "debug",
      LOG_FORMAT: format,
      ALLOW_HOSTS: "public,127.0.0.1:*,*.invalid:80",
      ALLOW_METHODS: "GET,POST",
      AUTH_TOKENS: [
        `alice:${CONFIGURED.alice}`,
        `bob:${CONFIGURED.bob}`,
        `carol:sha256:${CONFIGURED.carolDigest}`,
        `dave:${CONFIGURED.dave}`,
      ].join(),
      JWT_SECRET: CONFIGURED.jwt,
      UPSTREAMS: json,
      UPSTREAM_KEY: CONFIGURED.env,
      LIMIT_CONNECTIONS: "4",
      LIMIT_REQUESTS_PER_SECOND: "200",
      MAX_FRAME_BYTES: "4096",
      MAX_REQUEST_BYTES: "1024",
      MAX_RESPONSE_BYTES: "4096",
      DRAIN_MS: "60000",
    });
    const said: Said = { responses: [], others: [] };
    const codes = new Set<string>();
    const sign = (
      claims: Record<string, unknown>,
      secret: string = CONFIGURED.jwt,
    ): Promise<string> =>
      new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(latin1(secret));
    const now = Math.floor(Date.now() / 1000);
    const tokens: Record<string, string> = {
      valid: await sign({ sub: "erin", exp: now + 300 }),
      expired: await sign({ sub: "erin", exp: now - 3600 }),
      forged: await sign({ sub: "erin", exp: now + 300 }, OWN.wrong),
      endless: await sign({ sub: "erin" }),
    };
    // It ends while the others are at work.
    const expiresAt = Date.now() + 2000;
    const token = tokens["brief"] = await sign({ sub: "erin", exp: expiresAt / 1000 });
    await using expiring = await talk(service, { token }, said);

    // Refused handshakes
    const encoded = (token: string): string =>
      `bearer.${latin1(token).toBase64({ alphabet: "base64url", omitPadding: true })}`;
    const bearer = (token: string): Record<string, string> => ({
      authorization: `Bearer ${token}`,
    });
    const offer = (...protocols: string[]): Record<string, string> => ({
      "sec-websocket-protocol": ["wsfetch.v1", ...protocols].join(", "),
    });
    const { alice, bob } = CONFIGURED;
    const handshakes: readonly [
      status: number,
      headers: Record<string, string>,
      target?: string,
    ][] = [
      [401, { cookie: `token=${alice}` }, `/ws?token=${alice}&access_token=${OWN.query}`],
      [401, bearer(OWN.wrong)],
      [401, bearer(CONFIGURED.carolDigest)],
      [401, bearer(`sha256:${CONFIGURED.carolDigest}`.replace(":", "."))],
      [401, bearer(CONFIGURED.jwt)],
      [401, { authorization: `Basic ${btoa(`alice:${alice}`)}` }],
      [401, bearer(tokens["expired"] ?? "")],
      [401, bearer(tokens["forged"] ?? "")],
      [401, bearer(tokens["endless"] ?? "")],
      [401, offer(encoded(OWN.wrong))],
      [400, bearer(`${alice} ${bob}`)],
      [400, { authorization: `Basic x, Bearer ${alice}` }],
      [400, bearer(`${alice}\u00e9`)],
      [400, { ...bearer(alice), ...offer(encoded(bob)) }],
      [400, offer(encoded(alice), encoded(bob))],
      [400, offer(`bearer.${alice.replace(/\W/g, "!")}`)],
      [400, { ...bearer(alice), "sec-websocket-protocol": OWN.bearer.replaceAll("/", "") }],
      [400, { ...bearer(alice), "sec-websocket-key": OWN.key }],
      [426, { ...bearer(alice), "sec-websocket-version": "8" }],
      [403, { ...bearer(alice), origin: `https://evil.example`, cookie: `a=${OWN.cookie}` }],
    ];
    for (const [status, fields, target = "/ws"] of handshakes) {
      using raw = await connectRaw(service.port, fields, `GET ${target} HTTP/1.1`);
      assert(
        raw.answer.startsWith(`HTTP/1.1 ${status} `),
        `${JSON.stringify(fields)} ${raw.answer}`,
      );
      said.others.push(raw.answer);
    }

    // Pages
    for (
      const path of ["/", "/ws", "/healthz", "/readyz", "/client/mod.js", "/nope", `/${OWN.path}`]
    ) {
      for (const method of ["GET", "POST"]) {
        const url = `http://127.0.0.1:${service.port}${path}?token=${alice}&q=${OWN.query}`;
        const body = method === "POST" ? { body: OWN.body } : {};
        const response = await fetch(url, { method, headers: OWN_HEADERS, ...body });
        said.others.push(`${JSON.stringify([...response.headers])} ${await response.text()}`);
      }
    }

    // Requests: to upstreams and to URLs, in both dialects, into every kind of trouble
    await using v1 = await talk(service, { token: alice }, said);
    await using plain = await talk(service, { token: alice, protocols: [] }, said);
    const answered = ({ code }: Frame, expected: string | undefined, what: string): void => {
      assertEquals(code, expected, what);
      if (code !== undefined) codes.add(code);
    };
    const suffix = `/${OWN.path}?q=${OWN.query}`;
    const post = { method: "POST", headers: OWN_HEADERS };
    for (const [upstream, kind, code] of TROUBLES) {
      const path = `${kind}${suffix}`;
      const where = `${upstream} ${path}`;
      const timeoutMs = kind === "/hang" ? 50 : 30_000;
      const rest = { type: "request", id: 1, ...post, text: OWN.body, timeoutMs };
      answered(await v1.ask({ upstream, path, ...rest }), code, where);
      const url = `${origins[upstream]}${path}`;
      // Only an upstream has a base to leave.
      answered(await v1.ask({ url, ...rest }), kind === "/out" ? undefined : code, url);
      if (kind === "/hang") continue; // the plain dialect has no time to name
      answered(
        await plain.ask({ url: `${upstream}:${path}`, ...post, data: OWN.body }),
        code,
        where,
      );
    }
    const request = (fields: object): object => ({
      type: "request",
      id: 1,
      headers: OWN_HEADERS,
      ...fields,
    });
    const { port } = echoing;
    const userinfo = encodeURIComponent(OWN.userinfo);
    const refusals: readonly [code: string, frame: object | string][] = [
      ["unknown_upstream", request({ url: `other:${suffix}` })],
      ["forbidden", request({ url: `bobs:${suffix}` })],
      ["http_request_denied", request({ url: `narrow:/ok${suffix}` })],
      ["http_request_denied", request({ url: "narrow:/ok", method: "POST", text: OWN.body })],
      ["http_request_denied", request({ url: `api:/../${OWN.path}` })],
      ["http_request_denied", request({ url: `http://me:${userinfo}@127.0.0.1:${port}/` })],
      ["http_request_denied", request({ url: `ftp://me:${userinfo}@example.com/` })],
      ["bad_request", request({ url: `http://me:${OWN.userinfo}@127.0.0.1:${port}/` })],
      ["http_request_denied", request({ url: `data:,${OWN.path}` })],
      ["http_request_denied", request({ url: `http://127.0.0.1:1${suffix}` })],
      ["destination_ip_prohibited", request({ url: `http://10.0.0.1${suffix}` })],
      ["dns_error", request({ url: `http://other.invalid${suffix}` })],
      ["bad_request", request({ url: OWN.path })],
      ["bad_request", request({ url: `api:/x\u0000${OWN.path}` })],
      ["bad_request", request({ upstream: "api", path: OWN.path })],
      ["bad_request", request({ url: "api:/", headers: { authorization: `${OWN.bearer}\n` } })],
      ["bad_request", request({ url: "api:/", headers: [["cookie", OWN.cookie, OWN.key]] })],
      ["bad_request", request({ url: "api:/", base64: `${OWN.body}!`, method: "POST" })],
      ["bad_request", request({ url: "api:/", text: OWN.body })],
      ["bad_request", request({ url: "api:/", timeoutMs: OWN.key })],
      ["bad_request", request({ url: "api:/", query: { q: [{ x: OWN.query }] } })],
      ["bad_request", request({ url: "api:/", redirect: OWN.query })],
      ["bad_request", { type: "auth", token: { x: OWN.inBand } }],
      ["unsupported_method", request({ url: `api:${suffix}`, method: "PUT", text: OWN.body })],
      ["request_too_large", request({ url: "api:/", method: "POST", text: OWN.body.repeat(30) })],
      ["frame_too_large", request({ url: "api:/", method: "POST", text: OWN.body.repeat(200) })],
      ["bad_frame", `{"type":"request","id":1,"url":"${OWN.path}`],
      ["bad_frame", JSON.stringify(OWN.body)],
      ["bad_frame", { type: OWN.key }],
    ];
    for (const [code, frame] of refusals) {
      const text = JSON.stringify(frame);
      answered(await v1.ask(frame), code, text);
      if (typeof frame === "string" || text.includes('auth","token')) continue;
      const { type: _type, text: data, ...fields } = frame as Record<string, unknown>;
      await plain.ask({ method: "GET", ...fields, ...(data !== undefined && { data }) });
    }
    v1.send(request({ url: "api:/hang", id: 3 }));
    const chunk = new Uint8Array([0, 0, 0, 3, 1, ...latin1(OWN.body)]);
    answered(await v1.ask(chunk), "flow_control_error", "a chunk that nobody asked for");
    const late = { url: "api:/ok", method: "POST", bodyFollows: true, timeoutMs: 50 };
    answered(await v1.ask(request(late)), "http_response_timeout", "no body comes");
    v1.send(request({ url: "single:/hang", id: 2 }));
    answered(await v1.ask(request({ url: "single:/ok" })), "too_many_in_flight", "maxInFlight");
    v1.send({ type: "cancel", id: 2 });
    assertEquals((await v1.ask(request({ url: "fragile:/busy" }))).status, 503);
    answered(
      await v1.ask(request({ url: `fragile:${suffix}` })),
      "destination_unavailable",
      "open",
    );
    assertEquals((await v1.ask({ type: "auth", token: alice })).identity, "alice");

    // Credentials that end, and connections that are closed
    await new Promise((resolve) => setTimeout(resolve, expiresAt + 10 - Date.now()));
    answered(await expiring.ask(request({ url: `api:${suffix}` })), "unauthorized", "expired");
    assertEquals((await expiring.ask({ type: "auth", token: tokens["valid"] })).identity, "erin");
    expiring.send({ type: "auth", token: tokens["forged"] });
    assertEquals(await expiring.closed, 4501);
    for (const token of [OWN.inBand, bob, CONFIGURED.jwt, `${OWN.inBand} spaced`]) {
      await using refused = await talk(service, { token: CONFIGURED.carol }, said);
      refused.send({ type: "auth", token });
      assertEquals(await refused.closed, 4501);
    }
    {
      await using mad = await talk(service, { token: bob }, said);
      for (let frame = 0; frame < 16; frame++) mad.send(`{"${OWN.body}`);
      assertEquals(await mad.closed, 4500);
      await using twice = await talk(service, { token: bob }, said);
      for (let frame = 0; frame < 2; frame++) twice.send(request({ url: `api:/hang${suffix}` }));
      assertEquals(await twice.closed, 4509);
    }

    // Limits
    await using daves = new AsyncDisposableStack();
    const dave = daves.use(await talk(service, { token: CONFIGURED.dave }, said));
    for (let others = 0; others < 3; others++) {
      daves.use(await talk(service, { token: CONFIGURED.dave }, said));
    }
    using fifth = await connectRaw(service.port, bearer(CONFIGURED.dave));
    assert(fifth.answer.startsWith("HTTP/1.1 429 "));
    said.others.push(fifth.answer);
    for (let id = 1; id <= 500; id++) dave.send(request({ id, url: `other:${suffix}` }));
    for (let id = 1; id <= 500; id++) codes.add((await dave.next()).code);
    assert(codes.has("rate_limited"));

    // Reloads that fail
    const broken = [
      `{"api": ${SHORT}}`,
      `{"api": {"baseUrl": "${CONFIGURED.env}", "headers": {"x": "${CONFIGURED.inline}"`,
      JSON.stringify({
        api: { baseUrl: `https://me:${CONFIGURED.password}@example.com`, headers },
      }),
      JSON.stringify({ api: { baseUrl: "https://example.com", headers: CONFIGURED.inline } }),
      JSON.stringify({
        api: { baseUrl: "https://example.com", headers: { x: `${CONFIGURED.inline}\${` } },
      }),
      JSON.stringify({
        api: {
          baseUrl: "https://example.com",
          headers: { ...headers, y: "\ud83d\ude00${env:UPSTREAM_KEY}" },
        },
      }),
      JSON.stringify([CONFIGURED.inline]),
      JSON.stringify(CONFIGURED.inline),
    ];
    const failures = [...service.output().matchAll(/ERROR +failed|"event":"failed"/g)].length;
    for (const [index, text] of broken.entries()) {
      await Deno.writeTextFile(json, text);
      service.kill("SIGHUP");
      await service.wrote(/(?:ERROR +failed|"event":"failed").*\n/g, failures + index + 1);
    }
    await Deno.writeTextFile(json, JSON.stringify(upstreams));
    service.kill("SIGHUP");
    await service.wrote(/reloaded.*\n/g);
    assertEquals((await v1.ask(request({ url: "api:/ok" }))).status, 200);

    // The end
    v1.send(request({ url: `api:/hang${suffix}`, id: 9 }));
    assertEquals((await v1.ask({ type: "ping", data: "" })).type, "pong"); // it is in flight
    service.kill("SIGTERM");
    assertEquals((await v1.next()).type, "goaway");
    answered(await v1.ask(request({ url: `api:${suffix}` })), "draining", "new");
    using last = await connectRaw(service.port, bearer(alice));
    assert(last.answer.startsWith("HTTP/1.1 503 "));
    said.others.push(last.answer);
    v1.send({ type: "cancel", id: 9 });
    assertEquals(await v1.closed, 1001);
    assertEquals((await service.status).code, 0);

    // The signatures: the rest of a JWT is no secret.
    const signatures = Object.fromEntries(
      Object.entries(tokens).map(([name, token]) => [`jwt ${name}`, token.split(".")[2] ?? ""]),
    );
    // All of it was there to be told …
    const { jwt: _jwt, carolDigest: _digest, ...injected } = CONFIGURED;
    const { alice: _a, bob: _b, carol: _c, dave: _d, ...theirs } = injected;
    const { wrong: _wrong, inBand: _inBand, userinfo: _userinfo, ...carried } = OWN;
    const seen = echoing.seen.join("\n");
    assertEquals(findLeaks(seen, theirs).toSorted(), Object.keys(theirs).toSorted());
    assertEquals(findLeaks(seen, carried).toSorted(), Object.keys(carried).toSorted());
    assert(said.responses.some((text) => text.includes("[redacted]")));
    assertEquals([...codes].toSorted(), PROVOKED);
    // … and this is what was told.
    const all: Secrets = { ...CONFIGURED, ...OWN, ...signatures, SHORT };
    for (const text of said.responses) {
      assertSilent(text, { ...CONFIGURED, ...signatures }, "a response");
    }
    for (const text of said.others) assertSilent(text, all, "a frame, a page or a refusal");
    for (const line of service.output().split("\n")) assertSilent(line, all, "the output");
    assert(service.output().split("\n").length > 100, "there is an output");
  });
}
