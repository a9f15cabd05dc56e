import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { connectTcp, isBadPort, toConnectError } from "../../../src/http/h1/connect.ts";
import { latin1, startRaw } from "../../helpers/upstream.ts";

Deno.test("isBadPort() agrees with fetch for every port below 11000", async () => {
  using client = Deno.createHttpClient({});
  const headers = { x: "\x01" }; // fetch refuses this field after the port, and before it connects
  const differing: number[] = [];
  for (let port = 0; port < 11_000; port++) {
    const asking = fetch(`http://127.0.0.1:${port}/`, { client, headers });
    const { message } = await assertRejects(() => asking, TypeError);
    assert(/failed to parse header value|are blocked$/.test(message), message);
    if (message.endsWith("are blocked") !== isBadPort(port)) differing.push(port);
  }
  assertEquals(differing, []);
});

Deno.test("connectTcp() leaves no connection open when it is aborted while connecting", async () => {
  let open = 0;
  const accepted = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  await using upstream = startRaw(async (connection) => {
    open++;
    const isLast = await connection.read() === "last";
    if (isLast) accepted.resolve();
    await connection.peerClosed();
    if (--open === 0) ended.resolve();
  });
  const { port } = upstream;
  for (let round = 0; round < 200; round++) {
    const controller = new AbortController();
    const { signal } = controller;
    const connecting = connectTcp({ hostname: "127.0.0.1", port, signal });
    // The abort and the connection become ready in the same turn of the event loop.
    setTimeout(() => controller.abort());
    for (const from = performance.now(); performance.now() - from < 2;);
    await connecting.then((tcp) => tcp.close(), () => {});
  }
  const { signal } = new AbortController();
  const last = await connectTcp({ hostname: "127.0.0.1", port, signal });
  open++; // so that `ended` waits for this connection as well
  await last.write(latin1("last"));
  await accepted.promise;
  last.close();
  open--;
  const late = setTimeout(
    () => ended.reject(new Error(`${open} connections are not closed`)),
    10_000,
  );
  await ended.promise;
  clearTimeout(late);
});

Deno.test("connectTcp() leaves no listener on its signal, and does not connect when it was aborted before", async () => {
  await using upstream = startRaw((connection) => connection.peerClosed());
  const controller = new AbortController();
  const { signal } = controller;
  const { port } = upstream;
  const added: unknown[] = [];
  const removed: unknown[] = [];
  const [add, remove] = [
    signal.addEventListener.bind(signal),
    signal.removeEventListener.bind(signal),
  ];
  Object.assign(signal, {
    addEventListener: (
      type: "abort",
      listener: () => void,
    ) => (added.push(listener), add(type, listener)),
    removeEventListener: (
      type: "abort",
      listener: () => void,
    ) => (removed.push(listener), remove(type, listener)),
  });
  (await connectTcp({ hostname: "127.0.0.1", port, signal })).close();
  await assertRejects(() => connectTcp({ hostname: "127.0.0.3", port, signal }), ConnectionRefused);
  assertEquals([added.length, removed], [2, added]);
  const reason = new Error("enough");
  controller.abort(reason);
  const asking = connectTcp({ hostname: "127.0.0.1", port, signal });
  assertStrictEquals(await assertRejects(() => asking), reason);
  assertEquals(upstream.connections(), 1);
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
  Deno.test(`toConnectError() translates ${input} into ${expected}`, () => {
    const error = toConnectError(input);
    assertEquals([error.code, error.sent, error.retryable], [expected, "no", true]);
    assertEquals(error.cause, input);
  });
}
