import { assert, assertEquals } from "@std/assert";
import {
  ERROR_CODES,
  type ErrorCode,
  isIdempotent,
  ProxyError,
  type ProxyErrorOptions,
  type Sent,
  toErrorFrame,
} from "../../src/protocol/mod.ts";

// By hand from the specification, so that a change of the table is a change here.
const TRAITS: readonly [code: ErrorCode, sent: Sent, retryable: boolean | "idempotent"][] = [
  ["bad_frame", "no", false],
  ["bad_request", "no", false],
  ["unsupported_method", "no", false],
  ["frame_too_large", "no", false],
  ["request_too_large", "no", false],
  ["too_many_in_flight", "no", true],
  ["rate_limited", "no", true],
  ["proxy_overloaded", "no", true],
  ["unauthorized", "no", false],
  ["forbidden", "no", false],
  ["unknown_upstream", "no", false],
  ["draining", "no", true],
  ["destination_ip_prohibited", "no", false],
  ["http_request_denied", "no", false],
  ["dns_error", "no", true],
  ["dns_timeout", "no", true],
  ["connection_refused", "no", true],
  ["connection_timeout", "no", true],
  ["destination_unavailable", "no", true],
  ["tls_protocol_error", "no", false],
  ["tls_certificate_error", "no", false],
  ["connection_terminated", "maybe", "idempotent"],
  ["http_response_timeout", "maybe", "idempotent"],
  ["http_response_incomplete", "yes", "idempotent"],
  ["http_response_body_size", "yes", false],
  ["http_response_content_coding", "yes", false],
  ["http_protocol_error", "yes", false],
  ["too_many_redirects", "yes", false],
  ["flow_control_error", "maybe", false],
  ["proxy_internal_error", "maybe", false],
];

Deno.test("ERROR_CODES holds the codes of the specification and no other", () => {
  assertEquals(Object.keys(ERROR_CODES).sort(), TRAITS.map(([code]) => code).sort());
});

for (const [code, sent, retryable] of TRAITS) {
  Deno.test(`ProxyError() takes the traits of ${code}`, () => {
    const traits = (method?: string): [Sent, boolean] => {
      const error = new ProxyError(code, "", method === undefined ? {} : { method });
      return [error.sent, error.retryable];
    };
    assertEquals(traits("GET"), [sent, retryable !== false]);
    assertEquals(traits("POST"), [sent, retryable === true]);
    assertEquals(traits(), [sent, retryable === true]);
  });
}

const OVERRIDES: readonly {
  name: string;
  code: ErrorCode;
  options: ProxyErrorOptions;
  expected: { sent: Sent; retryable: boolean; retryAfterMs?: number };
}[] = [
  {
    name: "sent",
    code: "draining",
    options: { sent: "maybe" },
    expected: { sent: "maybe", retryable: true },
  },
  {
    name: "retryable",
    code: "draining",
    options: { retryable: false },
    expected: { sent: "no", retryable: false },
  },
  {
    name: "retryable over its method",
    code: "connection_terminated",
    options: { retryable: true, method: "POST" },
    expected: { sent: "maybe", retryable: true },
  },
  {
    name: "retryable over an idempotent method",
    code: "http_response_incomplete",
    options: { retryable: false, method: "GET" },
    expected: { sent: "yes", retryable: false },
  },
  {
    name: "its method's effect over no other trait",
    code: "http_response_timeout",
    options: { sent: "yes", method: "PUT" },
    expected: { sent: "yes", retryable: true },
  },
  {
    name: "retryAfterMs, even if it is 0",
    code: "too_many_in_flight",
    options: { retryAfterMs: 0 },
    expected: { sent: "no", retryable: true, retryAfterMs: 0 },
  },
];

for (const { name, code, options, expected } of OVERRIDES) {
  Deno.test(`ProxyError() lets an error give ${name}`, () => {
    const { type: _type, code: _code, message: _message, ...traits } = toErrorFrame(
      new ProxyError(code, "", options),
    );
    assertEquals(traits, expected);
  });
}

Deno.test("ProxyError() is an error with a name, a message and the cause it was given", () => {
  const cause = new TypeError("inner");
  const error = new ProxyError("dns_error", "No such host", { cause });
  assert(error instanceof Error);
  assertEquals([error.name, error.message, error.cause], ["ProxyError", "No such host", cause]);
  assertEquals("cause" in new ProxyError("dns_error", "", { cause: undefined }), true);
  assertEquals("cause" in new ProxyError("dns_error", ""), false);
});

Deno.test("toErrorFrame() gives what the client has to know and nothing else", () => {
  const cause = new Error("secret");
  const error = new ProxyError("dns_error", "No such host", { cause });
  const frame = {
    type: "error",
    code: "dns_error",
    message: "No such host",
    retryable: true,
    sent: "no",
  } as const;
  assertEquals<unknown>(toErrorFrame(error), frame);
  assertEquals<unknown>(toErrorFrame(error, 7), { ...frame, id: 7 });
  const later = new ProxyError("dns_error", "No such host", { cause, retryAfterMs: 250 });
  assertEquals<unknown>(toErrorFrame(later, 7), { ...frame, id: 7, retryAfterMs: 250 });
});

for (const method of ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]) {
  Deno.test(`isIdempotent() says yes to ${method}`, () => assertEquals(isIdempotent(method), true));
}

for (const method of ["POST", "PATCH", "CONNECT", "get", "", "__proto__", "constructor"]) {
  Deno.test(`isIdempotent() says no to "${method}"`, () => {
    assertEquals(isIdempotent(method), false);
  });
}
