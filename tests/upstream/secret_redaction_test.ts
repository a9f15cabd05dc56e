import { assertEquals, assertNotEquals } from "@std/assert";
import { createSecretRedaction } from "../../src/upstream/secret_redaction.ts";

Deno.test("createSecretRedaction() takes out what it knows, and forgets nothing", () => {
  const redaction = createSecretRedaction([]);
  const texts: string[] = [];
  for (const secrets of [[], ["hunter2"], ["correct horse"], []]) {
    redaction.know([{ secrets }]);
    texts.push(redaction.redact("hunter2, correct horse"));
  }
  assertEquals(texts, [
    "hunter2, correct horse",
    "[redacted], correct horse",
    "[redacted], [redacted]",
    "[redacted], [redacted]",
  ]);
});

Deno.test("createSecretRedaction() has another version when there are more secrets, and then only", () => {
  const redaction = createSecretRedaction(["a secret"]);
  assertEquals([redaction.version, redaction.redact("a secret")], [0, "a secret"]);
  redaction.know([]);
  const { version } = redaction;
  assertEquals([version === 0, redaction.redact("a secret")], [false, "[redacted]"]);
  redaction.know([{ secrets: ["a secret"] }]);
  assertEquals(redaction.version, version);
  redaction.know([{ secrets: ["a secret", "another secret"] }]);
  assertNotEquals(redaction.version, version);
});
