import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  badPort,
  connectTimedOut,
  headTooLarge,
  incomplete,
  malformed,
  miscoded,
  misframed,
  mistransferred,
  noAddress,
  notHttp,
  proxyRefused,
  proxyUnauthorized,
  proxyUnreachable,
  refused,
  speaksTls,
  switchedProtocols,
  terminated,
  type ToFailure,
  tooLarge,
  undecodable,
  unreachable,
  unreachableUnchecked,
  unresolved,
  unsendable,
} from "../../src/http/failures.ts";

/** What is expected: code, sent, retryable with GET, retryable with POST. */
type Expected = readonly [code: string, sent: string, get: boolean, post: boolean];

const FAILURES: readonly { name: string; create: ToFailure; expected: Expected }[] = [
  { name: "unresolved", create: unresolved, expected: ["dns_error", "no", true, true] },
  { name: "noAddress", create: noAddress, expected: ["dns_error", "no", true, true] },
  { name: "refused", create: refused, expected: ["connection_refused", "no", true, true] },
  {
    name: "connectTimedOut",
    create: connectTimedOut,
    expected: ["connection_timeout", "no", true, true],
  },
  {
    name: "unreachable",
    create: unreachable,
    expected: ["destination_unavailable", "no", true, true],
  },
  {
    name: "unreachableUnchecked",
    create: unreachableUnchecked,
    expected: ["destination_unavailable", "no", true, true],
  },
  {
    name: "proxyUnreachable",
    create: proxyUnreachable,
    expected: ["destination_unavailable", "no", true, true],
  },
  {
    name: "proxyUnauthorized",
    create: proxyUnauthorized,
    expected: ["destination_unavailable", "no", false, false],
  },
  {
    name: "proxyRefused",
    create: proxyRefused,
    expected: ["destination_unavailable", "no", true, true],
  },
  { name: "badPort", create: badPort, expected: ["http_request_denied", "no", false, false] },
  { name: "unsendable", create: unsendable, expected: ["bad_request", "no", false, false] },
  {
    name: "terminated",
    create: terminated,
    expected: ["connection_terminated", "maybe", true, false],
  },
  { name: "speaksTls", create: speaksTls, expected: ["http_protocol_error", "yes", false, false] },
  { name: "notHttp", create: notHttp, expected: ["http_protocol_error", "yes", false, false] },
  {
    name: "malformed",
    create: () => malformed("x"),
    expected: ["http_protocol_error", "yes", false, false],
  },
  {
    name: "headTooLarge",
    create: () => headTooLarge("5 bytes"),
    expected: ["http_protocol_error", "yes", false, false],
  },
  {
    name: "undecodable",
    create: () => undecodable("x"),
    expected: ["http_protocol_error", "yes", false, false],
  },
  {
    name: "mistransferred",
    create: mistransferred,
    expected: ["http_protocol_error", "yes", false, false],
  },
  {
    name: "misframed",
    create: (options) => misframed("x", options),
    expected: ["http_response_incomplete", "yes", true, false],
  },
  {
    name: "switchedProtocols",
    create: switchedProtocols,
    expected: ["http_protocol_error", "yes", false, false],
  },
  {
    name: "incomplete",
    create: incomplete,
    expected: ["http_response_incomplete", "yes", true, false],
  },
  {
    name: "tooLarge",
    create: () => tooLarge(5),
    expected: ["http_response_body_size", "yes", false, false],
  },
  {
    name: "miscoded",
    create: miscoded,
    expected: ["http_response_content_coding", "yes", false, false],
  },
];

// These do not depend on a cause.
const WITHOUT_OPTIONS: ReadonlySet<string> = new Set([
  "noAddress",
  "speaksTls",
  "unsendable",
  "switchedProtocols",
  "tooLarge",
  "malformed",
  "headTooLarge",
  "undecodable",
]);

for (const { name, create, expected } of FAILURES) {
  Deno.test(`${name}() has its code, sent and retryable`, () => {
    const [get, post] = ["GET", "POST"].map((method) => create({ method }));
    assertEquals([get?.code, get?.sent, get?.retryable, post?.retryable], [...expected]);
    assertEquals([post?.code, post?.sent, post?.message], [get?.code, get?.sent, get?.message]);
    assertEquals(/^[A-Z][^\n]+[^.\n]$/.test(get?.message ?? ""), true, get?.message);
  });

  if (WITHOUT_OPTIONS.has(name)) continue;
  Deno.test(`${name}() takes its cause, and whether the request was sent`, () => {
    const cause = new Error("x");
    const error = create({ cause, sent: "maybe", method: "GET" });
    assertStrictEquals(error.cause, cause);
    assertEquals([error.sent, "cause" in create()], ["maybe", false]);
  });
}

Deno.test("failures that differ have texts that differ, and no text names an address", () => {
  const messages = FAILURES.map(({ create }) => create().message);
  assertEquals(new Set(messages).size, FAILURES.length);
  assertEquals(messages.filter((message) => /\d+\.\d+|[a-f\d]*::/.test(message)), []);
});

Deno.test("malformed(), misframed() and undecodable() say what is wrong", () => {
  assertEquals(malformed("x y").message, "The response is not valid HTTP: x y");
  assertEquals(misframed("x y").message, "The response body cannot be read to its end: x y");
  const message = "The response body has a transfer coding that is not supported: br";
  assertEquals(undecodable("br").message, message);
});

Deno.test("headTooLarge() names the limit", () => {
  assertEquals(headTooLarge("12 bytes").message, "The response has more than 12 bytes");
});

Deno.test("tooLarge() names the limit", () => {
  assertEquals(tooLarge(12).message, "The response body is larger than 12 bytes");
});
