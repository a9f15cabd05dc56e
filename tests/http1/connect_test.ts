import { assert, assertEquals, assertRejects } from "@std/assert";
import { isBadPort, toConnectError } from "../../src/http1/connect.ts";

Deno.test("isBadPort() says of each lower port what fetch says", async () => {
  using client = Deno.createHttpClient({});
  const headers = { x: "\x01" }; // which is refused behind the port, and before anything is connected to
  const differing: number[] = [];
  for (let port = 0; port < 11_000; port++) {
    const asking = fetch(`http://127.0.0.1:${port}/`, { client, headers });
    const { message } = await assertRejects(() => asking, TypeError);
    assert(/failed to parse header value|are blocked$/.test(message), message);
    if (message.endsWith("are blocked") !== isBadPort(port)) differing.push(port);
  }
  assertEquals(differing, []);
});

const { ConnectionRefused, TimedOut, ConnectionReset, NotCapable } = Deno.errors;

const THROWN: readonly { input: unknown; expected: string }[] = [
  {
    input: new ConnectionRefused("Connection refused (os error 111)"),
    expected: "connection_refused",
  },
  { input: new TimedOut("Connection timed out (os error 110)"), expected: "connection_timeout" },
  { input: new ConnectionReset("Connection reset by peer"), expected: "destination_unavailable" },
  { input: new Error("No route to host (os error 113)"), expected: "destination_unavailable" },
  { input: new Error("Too many open files (os error 24)"), expected: "destination_unavailable" },
  { input: new NotCapable("Requires net access"), expected: "destination_unavailable" },
  {
    input: new Error("failed to lookup address information: Name or service not known"),
    expected: "dns_error",
  },
  { input: new Error("No resolved address found"), expected: "dns_error" },
  { input: "odd", expected: "destination_unavailable" },
];

for (const { input, expected } of THROWN) {
  Deno.test(`toConnectError() takes ${input} for ${expected}`, () => {
    const error = toConnectError(input);
    assertEquals([error.code, error.sent, error.retryable], [expected, "no", true]);
    assertEquals(error.cause, input);
  });
}
