import { assertEquals } from "@std/assert";
import { createKnownLabel, createNamedLabel } from "../../src/telemetry/labels.ts";

Deno.test("createKnownLabel() returns known values, and other for every other text", () => {
  const toValue = createKnownLabel(["GET", "HEAD"]);
  const values = ["GET", "HEAD", "get", "", "__proto__", undefined].map(toValue);
  assertEquals(values, ["GET", "HEAD", "other", "other", "other", "other"]);
});

Deno.test("createNamedLabel() returns names, and other for texts that are no names", () => {
  const toValue = createNamedLabel(10);
  const texts = ["dns_error", "a-b", "x9", "9x", "A", "a b", "", "a".repeat(64), undefined];
  assertEquals(texts.map(toValue), ["dns_error", "a-b", "x9", ...Array(6).fill("other")]);
});

Deno.test("createNamedLabel() returns other for new names once it has the maximum", () => {
  const toValue = createNamedLabel(2);
  assertEquals(["a", "b", "c", "a", "b"].map(toValue), ["a", "b", "other", "a", "b"]);
});
