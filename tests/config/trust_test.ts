import { assertEquals, assertThrows } from "@std/assert";
import { loadTrust } from "../../src/config/trust.ts";
import { ConfigError } from "../../src/config_error.ts";

Deno.test("loadTrust() tells which variables are wrong when the authorities cannot be loaded", () => {
  const { problems } = assertThrows(() =>
    loadTrust(() => {
      throw new Error("Failed opening CA file: No such file or directory (os error 2)");
    }), ConfigError);
  assertEquals(problems, [
    "DENO_CERT, DENO_TLS_CA_STORE, SSL_CERT_FILE: Failed opening CA file: No such file or directory (os error 2)",
  ]);
});

Deno.test("loadTrust() leaves nothing open", () => {
  let closed = 0;
  loadTrust(() => ({ [Symbol.dispose]: () => void closed++ }));
  assertEquals(closed, 1);
  loadTrust(); // and the sanitizer of resources finds nothing either
});
