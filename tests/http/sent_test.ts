import { assertEquals, assertStrictEquals } from "@std/assert";
import { moreSent, withSentOf } from "../../src/http/sent.ts";
import { ProxyError } from "../../src/protocol/mod.ts";

Deno.test("moreSent() returns the value that says more, whichever comes first", () => {
  for (const [less, more] of [["no", "maybe"], ["no", "yes"], ["maybe", "yes"]] as const) {
    assertEquals([moreSent(less, more), moreSent(more, less)], [more, more]);
  }
});

Deno.test("withSentOf() returns an error that says as much already", () => {
  for (const sent of ["no", "maybe"] as const) {
    const error = new ProxyError("connection_terminated", "Broken", { sent: "maybe" });
    assertStrictEquals(withSentOf(sent, error, "POST"), error);
  }
});

Deno.test("withSentOf() makes no error retryable", () => {
  const error = new ProxyError("bad_frame", "Not JSON");
  const { sent, retryable, code, message } = withSentOf("yes", error, "GET");
  assertEquals([sent, retryable, code, message], ["yes", false, "bad_frame", "Not JSON"]);
});

Deno.test("withSentOf() leaves only requests with an idempotent method retryable, and keeps how long to wait", () => {
  const waiting = new ProxyError("rate_limited", "Wait", { retryAfterMs: 5 });
  for (const [method, retryable] of [["GET", true], ["PUT", true], ["POST", false]] as const) {
    const error = withSentOf("maybe", waiting, method);
    assertEquals([error.sent, error.retryable, error.retryAfterMs], ["maybe", retryable, 5]);
    assertStrictEquals(error.cause, waiting);
  }
});
