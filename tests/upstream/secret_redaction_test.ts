import { assertEquals, assertNotEquals } from "@std/assert";
import { createSecretRedaction } from "../../src/upstream/secret_redaction.ts";

Deno.test("createSecretRedaction() removes all secrets that were ever added", () => {
  const redaction = createSecretRedaction([]);
  const texts: string[] = [];
  for (const secrets of [[], ["hunter2"], ["correct horse"], []]) {
    redaction.addSecretsOf([{ secrets }]);
    texts.push(redaction.redact("hunter2, correct horse"));
  }
  assertEquals(texts, [
    "hunter2, correct horse",
    "[redacted], correct horse",
    "[redacted], [redacted]",
    "[redacted], [redacted]",
  ]);
});

Deno.test("createSecretRedaction() changes its version when secrets are added, and only then", () => {
  const redaction = createSecretRedaction(["a secret"]);
  assertEquals([redaction.version, redaction.redact("a secret")], [0, "a secret"]);
  redaction.addSecretsOf([]);
  const { version } = redaction;
  assertEquals([version === 0, redaction.redact("a secret")], [false, "[redacted]"]);
  redaction.addSecretsOf([{ secrets: ["a secret"] }]);
  assertEquals(redaction.version, version);
  redaction.addSecretsOf([{ secrets: ["a secret", "another secret"] }]);
  assertNotEquals(redaction.version, version);
});
