import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { createCheck } from "../../src/exchange/check.ts";
import type { Exchange } from "../../src/exchange/exchange.ts";
import { createWheel } from "../../src/exchange/wheel.ts";
import type { Check } from "../../src/forward/hop.ts";
import type { Decision, Policy } from "../../src/policy/policy.ts";
import { type HeaderPairs, ProxyError } from "../../src/protocol/mod.ts";
import type { Upstream, UpstreamDecision } from "../../src/upstream/registry.ts";
import { createFakeClock, type FakeClock } from "../helpers/clock.ts";
import {
  createBlankExchange,
  createFakeUpstream,
  type RecordedTelemetry,
  recordTelemetry,
} from "../helpers/exchange.ts";

const DENIAL: Decision = {
  allow: false,
  reason: "loopback",
  code: "destination_ip_prohibited",
  message: "The address is a loopback address",
};
const HOST = new URL("http://a.example:81/path?secret");
const AT_UPSTREAM = new URL("http://upstream.test/items");

interface Bench {
  readonly check: Check;
  readonly exchange: Exchange;
  readonly telemetry: RecordedTelemetry;
  readonly clock: FakeClock;
  /** The URLs that the policy was asked about. */
  readonly asked: readonly string[];
}

function createBench(
  decide: Policy["decide"] = () => ({ allow: true, reason: "public" }),
  { upstream, headers = [], wantsAllowedHops = false }: {
    readonly upstream?: Upstream;
    readonly headers?: HeaderPairs;
    readonly wantsAllowedHops?: boolean;
  } = {},
): Bench {
  const clock = createFakeClock();
  const exchange = createBlankExchange({ headers }, { wheel: createWheel(clock) });
  const telemetry = recordTelemetry({ wantsAllowedHops });
  const asked: string[] = [];
  const policy: Policy = {
    decide(url, asker): Decision | Promise<Decision> {
      assertStrictEquals(asker, exchange);
      asked.push(url.href);
      return decide(url);
    },
  };
  const check = createCheck(exchange, upstream, { policy, telemetry });
  return { check, exchange, telemetry, clock, asked };
}

Deno.test("check() returns what the policy decides, and the stage is head then", () => {
  const allowance = { allow: true, reason: "public", addresses: ["192.0.2.1"] } as const;
  const { check, exchange, asked } = createBench(() => allowance);
  assertStrictEquals(check(HOST, "GET"), allowance);
  const { host, decision, reason } = exchange.record;
  assertEquals([host, decision, reason], ["a.example:81", "allow", "public"]);
  assertEquals([exchange.stage, exchange.dnsMs, asked], ["head", undefined, [HOST.href]]);
});

Deno.test("check() throws the denial of the policy, and nothing was sent then", () => {
  const { check, exchange } = createBench(() => DENIAL);
  const { code, message, sent } = assertThrows(() => check(HOST, "GET"), ProxyError);
  assertEquals([code, message, sent], [DENIAL.code, DENIAL.message, "no"]);
  const { host, decision, reason } = exchange.record;
  assertEquals([host, decision, reason], ["a.example:81", "deny", "loopback"]);
  assertEquals([exchange.stage, exchange.sent], ["lookup", "no"]);
});

Deno.test("check() notes at most 255 characters of a host", () => {
  const host = `${"h".repeat(60)}.`.repeat(5);
  for (const decision of [DENIAL, { allow: true, reason: "public" } as const]) {
    const { check, exchange, telemetry } = createBench(() => decision, { wantsAllowedHops: true });
    try {
      check(new URL(`http://${host}x/`), "GET");
    } catch (error) {
      assert(error instanceof ProxyError);
    }
    assertEquals(exchange.record.host, host.slice(0, 255));
    assertEquals(telemetry.of("decided").map((event) => event.host), [host.slice(0, 255)]);
  }
});

for (const wantsAllowedHops of [true, false]) {
  Deno.test(`check() ${wantsAllowedHops ? "reports" : "does not report"} an allowed hop, and always a denied one`, () => {
    const { check, telemetry } = createBench(
      ({ host }) => host === "b.example" ? DENIAL : { allow: true, reason: "public" },
      { wantsAllowedHops },
    );
    check(HOST, "GET");
    assertThrows(() => check(new URL("http://b.example/"), "GET"), ProxyError);
    const event = { type: "decided", connection: "c", exchange: 1 };
    assertEquals(telemetry.events as readonly object[], [
      ...(wantsAllowedHops
        ? [{ ...event, host: "a.example:81", allow: true, reason: "public" }]
        : []),
      { ...event, host: "b.example", allow: false, reason: "loopback" },
    ]);
  });
}

Deno.test("check() is in the stage lookup while a name is looked up, and adds the time up", async () => {
  const { promise, resolve } = Promise.withResolvers<Decision>();
  const { check, exchange, clock } = createBench(() => promise);
  clock.advance(100);
  const first = check(HOST, "GET");
  assert(first instanceof Promise);
  assertEquals([exchange.stage, exchange.dnsMs], ["lookup", undefined]);
  clock.advance(30.5);
  resolve({ allow: true, reason: "public" });
  await first;
  assertEquals([exchange.stage, exchange.dnsMs], ["head", 30.5]);
  // The next hop, after a redirect.
  const second = check(HOST, "GET");
  assertEquals(exchange.stage, "lookup");
  clock.advance(0.25);
  await second;
  assertEquals([exchange.stage, exchange.dnsMs], ["head", 30.75]);
});

Deno.test("check() throws the denial of a looked-up host, and its time counts", async () => {
  const { check, exchange, clock } = createBench(() => Promise.resolve(DENIAL));
  const checking = check(HOST, "GET");
  clock.advance(5);
  const { code } = await assertRejects(async () => await checking, ProxyError);
  assertEquals([code, exchange.stage, exchange.dnsMs], [DENIAL.code, "lookup", 5]);
});

Deno.test("check() throws the error of a lookup that fails", async () => {
  const failure = new ProxyError("dns_error", "The host could not be resolved");
  const { check, exchange, telemetry } = createBench(() => Promise.reject(failure));
  assertStrictEquals(await assertRejects(async () => await check(HOST, "GET")), failure);
  assertEquals([exchange.stage, exchange.record.decision], ["lookup", "none"]);
  assertEquals(telemetry.events, []);
});

Deno.test("check() does not wait for a lookup whose exchange has ended", async () => {
  const { check, exchange, telemetry } = createBench(() => new Promise(() => {}));
  const checking = check(HOST, "POST");
  exchange.fail(new ProxyError("draining", "", { sent: "no", retryable: true }));
  const { code, sent, retryable } = await assertRejects(async () => await checking, ProxyError);
  assertEquals([code, sent, retryable], ["draining", "no", true]);
  assertEquals(telemetry.events, []);
});

Deno.test("check() asks the upstream about its hops, and not the policy", () => {
  const upstream = createFakeUpstream();
  const { check, exchange, asked } = createBench(() => DENIAL, { upstream });
  for (let hops = 0; hops < 2; hops++) {
    const route = check(AT_UPSTREAM, "GET");
    assertEquals(route as object, { headers: [["x-key", "k"]], upstream: {} });
  }
  const { host, decision, reason } = exchange.record;
  assertEquals([host, decision, reason], ["upstream.test", "allow", "upstream:shop"]);
  assertEquals([exchange.stage, asked], ["head", []]);
});

Deno.test("check() tells the upstream the method and the URL of the hop", () => {
  const told: unknown[] = [];
  const upstream = createFakeUpstream({
    decide(method, { href }): undefined {
      told.push([method, href]);
      return undefined;
    },
  });
  createBench(undefined, { upstream }).check(AT_UPSTREAM, "PUT");
  assertEquals(told, [["PUT", AT_UPSTREAM.href]]);
});

Deno.test("check() asks the upstream about methods that it may use instead, before every hop", () => {
  const told: string[] = [];
  const upstream = createFakeUpstream({
    decide(method): UpstreamDecision {
      told.push(method);
      const isAllowed = method !== "DELETE";
      return isAllowed
        ? { allow: true, reason: "upstream:shop", headers: [], route: {} }
        : { allow: false, reason: "method", message: "no DELETE" };
    },
  });
  const allowed = createBench(undefined, { upstream, headers: [["X-HTTP-Method", "patch"]] });
  for (let hops = 0; hops < 2; hops++) allowed.check(AT_UPSTREAM, "POST");
  assertEquals(told, ["PATCH", "POST", "PATCH", "POST"]);
  const denied = createBench(undefined, { upstream, headers: [["x_http_method", "DELETE"]] });
  const { code, message } = assertThrows(() => denied.check(AT_UPSTREAM, "POST"), ProxyError);
  assertEquals([code, message, denied.exchange.record.reason], [
    "http_request_denied",
    "no DELETE",
    "method",
  ]);
});

Deno.test("check() throws http_request_denied where the upstream forbids a hop", () => {
  const upstream = createFakeUpstream({
    decide: () => ({ allow: false, reason: "method", message: "GET only" }),
  });
  const { check, exchange, telemetry, asked } = createBench(undefined, { upstream });
  const { code, message } = assertThrows(() => check(AT_UPSTREAM, "PUT"), ProxyError);
  assertEquals([code, message], ["http_request_denied", "GET only"]);
  assertEquals([exchange.record.decision, exchange.record.reason], ["deny", "method"]);
  assertEquals([telemetry.of("decided").map(({ allow }) => allow), asked], [[false], []]);
  assertEquals(exchange.sent, "no");
});

Deno.test("check() asks the policy once a redirect has left the upstream, and from then on", () => {
  const upstream = createFakeUpstream();
  const { check, exchange, asked } = createBench(undefined, { upstream });
  check(AT_UPSTREAM, "GET");
  for (const url of [HOST, AT_UPSTREAM]) {
    assertEquals(check(url, "GET") as object, { allow: true, reason: "public" });
  }
  assertEquals(asked, [HOST.href, AT_UPSTREAM.href]);
  assertEquals(exchange.record.reason, "public");
});
