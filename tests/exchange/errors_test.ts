import { assertEquals, assertStrictEquals } from "@std/assert";
import { timedOut, toProxyError } from "../../src/exchange/errors.ts";
import { ProxyError } from "../../src/protocol/mod.ts";
import { recordTelemetry } from "../helpers/exchange.ts";

Deno.test("timedOut() names the time, and is retryable before the request was made or when the method is idempotent", () => {
  const cases = [
    { stage: "place", method: "POST", expected: ["http_response_timeout", "no", false] },
    { stage: "place", method: "GET", expected: ["http_response_timeout", "no", true] },
    { stage: "lookup", method: "POST", expected: ["dns_timeout", "no", true] },
    { stage: "head", method: "PUT", expected: ["http_response_timeout", "maybe", true] },
    { stage: "stream", method: "POST", expected: ["http_response_timeout", "yes", false] },
  ] as const;
  for (const { stage, method, expected } of cases) {
    const { code, sent, retryable, message } = timedOut(stage, 1234, method);
    assertEquals([code, sent, retryable], [...expected]);
    assertEquals(message.endsWith(" within 1234 ms"), true);
  }
});

Deno.test("toProxyError() returns an error that a client may see, and logs nothing", () => {
  const telemetry = recordTelemetry();
  const error = new ProxyError("dns_error", "The host could not be resolved");
  assertStrictEquals(toProxyError(error, telemetry, "c"), error);
  assertEquals(telemetry.events, []);
});

for (
  const thrown of [
    new RangeError("a secret"),
    "a secret",
    undefined,
    new ProxyError("proxy_internal_error", "a secret"),
  ]
) {
  Deno.test(`toProxyError() hides ${String(thrown)} and logs it`, () => {
    const telemetry = recordTelemetry();
    const { code, message, sent, retryable } = toProxyError(thrown, telemetry, "c");
    assertEquals([code, sent, retryable], ["proxy_internal_error", "maybe", false]);
    assertEquals(message, "The proxy failed; its log says why");
    assertEquals(telemetry.events, [{ type: "failed", connection: "c", error: thrown }]);
  });
}
