/**
 * What `forward` does with a transport in memory: which requests it makes, and what it returns and discards.
 */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { gzipSync } from "node:zlib";
import { createForward, type Forward, type ForwardRequest } from "../../src/forward/forward.ts";
import type { TransportRequest, TransportResponse } from "../../src/http/transport.ts";
import { type HeaderPairs, ProxyError } from "../../src/protocol/mod.ts";
import { type FakeBody, fakeBody, readTexts, textOf } from "../http/fake_body.ts";

/** A response of the transport. Default: 200 with the body "abc". */
interface Reply extends Partial<Omit<TransportResponse, "body">> {
  readonly fake?: FakeBody;
}

interface World {
  forward(request?: Partial<ForwardRequest>, signal?: AbortSignal): ReturnType<Forward>;
  /** What happened, in order. */
  readonly log: readonly string[];
  readonly requests: readonly TransportRequest[];
}

function start(...replies: Reply[]): World {
  const log: string[] = [];
  const requests: TransportRequest[] = [];
  const forward = createForward((request) => {
    requests.push(request);
    log.push(`request ${request.url.pathname}`);
    const { fake = fakeBody(["abc"]), ...head } = replies[requests.length - 1] ?? {};
    const { body } = fake;
    const { discard } = body;
    Object.assign(body, {
      discard(): void {
        log.push(`discard ${request.url.pathname}`);
        discard();
      },
    });
    return Promise.resolve({
      status: 200,
      statusText: "OK",
      headers: [],
      decoded: false,
      ...head,
      body,
    });
  });
  return {
    log,
    requests,
    forward: (request = {}, signal = new AbortController().signal) => {
      const blank = { method: "GET", headers: [], body: null, redirect: "follow" } as const;
      const check = (url: URL): Record<never, never> => {
        log.push(`check ${url.pathname}`);
        return {};
      };
      return forward({ ...blank, url: new URL("http://a.invalid/1"), ...request }, {
        check,
        signal,
      });
    },
  };
}

function redirectTo(location: string, status = 302): Reply {
  return { status, headers: [["location", location]] };
}

Deno.test("forward() returns the transport's own body, and does nothing to it", async () => {
  const fake = fakeBody(["abc"], { length: 3, isHere: true });
  const { forward, log, requests } = start({ fake });
  const { head, body } = await forward();
  assertStrictEquals(body, fake.body);
  assertEquals([fake.reads(), fake.discards()], [0, 0]);
  assertEquals(log, ["check /1", "request /1"]);
  assertEquals(head, {
    status: 200,
    statusText: "OK",
    url: "http://a.invalid/1",
    redirected: false,
    headers: [],
  });
  assertEquals(requests[0], {
    method: "GET",
    url: new URL("http://a.invalid/1"),
    headers: [],
    body: null,
    addresses: undefined,
    decode: undefined,
    route: undefined,
    identity: undefined,
    owner: undefined,
    observer: undefined,
  });
});

Deno.test("forward() filters the fields of the request, and leaves an empty list as it is", async () => {
  const { forward, requests } = start({}, {});
  const body = new Uint8Array(1);
  await forward({ method: "POST", body, headers: [["Host", "x"], ["X", "1"], ["via", "y"]] });
  assertEquals([requests[0]?.method, requests[0]?.headers], ["POST", [["X", "1"]]]);
  assertStrictEquals(requests[0]?.body, body);
  const headers: HeaderPairs = [];
  await forward({ headers });
  assertStrictEquals(requests[1]?.headers, headers);
});

Deno.test("forward() discards the body of a redirect before the next hop is checked", async () => {
  const { forward, log } = start(redirectTo("/2"), redirectTo("/3"), {});
  const { head } = await forward();
  assertEquals([head.url, head.redirected], ["http://a.invalid/3", true]);
  const [first, second] = [1, 2].map((at) => [`check /${at}`, `request /${at}`, `discard /${at}`]);
  assertEquals(log, [...first ?? [], ...second ?? [], "check /3", "request /3"]);
});

Deno.test("forward() discards the body of a redirect that it does not follow, and keeps one that it returns", async () => {
  const refused = start(redirectTo("/2"));
  await assertRejects(() => refused.forward({ redirect: "error" }), ProxyError);
  assertEquals(refused.log, ["check /1", "request /1", "discard /1"]);
  const manual = start(redirectTo("/2"));
  const { head, body } = await manual.forward({ redirect: "manual" });
  assertEquals([head.status, body === null], [302, false]);
  assertEquals(manual.log, ["check /1", "request /1"]);
});

const CODED: HeaderPairs = [["content-encoding", "gzip"], ["content-length", "9"], ["x", "1"]];
const GZIP = textOf(new Uint8Array(gzipSync("text")));

const DECODED: readonly {
  readonly name: string;
  readonly method?: string;
  readonly reply: Reply;
  readonly request?: Partial<ForwardRequest>;
  readonly text: string | null;
  readonly headers: HeaderPairs;
}[] = [
  { name: "gzip", reply: {}, text: "text", headers: [["x", "1"]] },
  {
    name: "gzip that the transport has decoded",
    reply: { decoded: true, fake: fakeBody(["text"]) },
    text: "text",
    headers: [["x", "1"]],
  },
  {
    name: "gzip that the request wants as it is",
    reply: {},
    request: { decode: false },
    text: GZIP,
    headers: CODED,
  },
  { name: "gzip after HEAD", method: "HEAD", reply: {}, text: null, headers: CODED },
  {
    name: "gzip after HEAD, by a transport that decodes",
    method: "HEAD",
    reply: { decoded: true },
    text: null,
    headers: CODED,
  },
  {
    name: "another coding",
    reply: { headers: [["content-encoding", "x"]], fake: fakeBody(["x"]) },
    text: "x",
    headers: [["content-encoding", "x"]],
  },
];

for (const { name, method = "GET", reply, request = {}, text, headers } of DECODED) {
  Deno.test(`forward() returns body and fields for ${name}`, async () => {
    const { forward } = start({ headers: CODED, fake: fakeBody([GZIP]), ...reply });
    const { head, body } = await forward({ method, ...request });
    assertEquals(head.headers, headers);
    assertEquals(body && textOf(await body.bytes(99)), text);
  });
}

for (const status of [204, 205, 304]) {
  Deno.test(`forward() discards the body of a ${status}, once, and returns null`, async () => {
    const { forward, log } = start({ status });
    assertEquals((await forward()).body, null);
    assertEquals(log, ["check /1", "request /1", "discard /1"]);
  });
}

// Whether the request may be repeated when the body of its last hop breaks off.
const JUDGED: readonly {
  readonly name: string;
  readonly method: string;
  readonly replies: readonly Reply[];
  readonly retryable: boolean;
}[] = [
  { name: "a GET", method: "GET", replies: [], retryable: true },
  {
    name: "a POST that became a GET",
    method: "POST",
    replies: [redirectTo("/2")],
    retryable: false,
  },
  {
    name: "a PUT that became a GET",
    method: "PUT",
    replies: [redirectTo("/2", 303)],
    retryable: true,
  },
];

for (const { name, method, replies, retryable } of JUDGED) {
  Deno.test(`forward() says that ${name} is ${retryable ? "" : "not "}retryable when its body breaks off`, async () => {
    for (const way of ["bytes", "chunks"] as const) {
      const broken = new ProxyError("http_response_incomplete", "broken", { method: "GET" });
      const { forward } = start(...replies, { fake: fakeBody(["ab", broken]) });
      const { body } = await forward({ method });
      const reading = async (): Promise<unknown> =>
        way === "bytes"
          ? await body?.bytes(9)
          : await readTexts(body?.chunks(9) ?? fakeBody([]).body.chunks(0));
      const error = await assertRejects(reading, ProxyError);
      assertEquals([error.code, error.message, error.sent, error.retryable], [
        "http_response_incomplete",
        "broken",
        "yes",
        retryable,
      ]);
      if (retryable) assertStrictEquals(error, broken);
      else assertStrictEquals(error.cause, broken);
    }
  });
}

Deno.test("forward() leaves other errors of a body as they are after a redirect that rewrote the method", async () => {
  for (const error of [new Error("enough"), new ProxyError("http_response_body_size", "x")]) {
    const { forward } = start(redirectTo("/2"), { fake: fakeBody([error]) });
    const { body } = await forward({ method: "POST" });
    assertStrictEquals(await assertRejects(async () => await body?.bytes(9)), error);
  }
  const { forward } = start(redirectTo("/2"), { status: 204 });
  assertEquals((await forward({ method: "POST" })).body, null);
});
