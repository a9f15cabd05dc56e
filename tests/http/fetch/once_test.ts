/**
 * How often a destination gets a request that `fetch` sends: real servers that answer a first request, keep its connection,
 * and end the connection of the second.
 */
import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import tls from "node:tls";
import net from "node:net";
import { createFetchClients } from "../../../src/http/fetch/clients.ts";
import { createFetchTransport } from "../../../src/http/fetch/transport.ts";
import type { TransportRequest } from "../../../src/http/transport.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";

const folder = new URL("../../helpers/certificates/", import.meta.url);
const [cert, key, ca] = ["localhost.pem", "localhost.key", "ca.pem"].map((name) =>
  Deno.readTextFileSync(new URL(name, folder))
) as [string, string, string];

/** How a connection ends once a request has been read from it. */
type Ending = "FIN" | "RST" | "destroyed";

interface EndingServer extends AsyncDisposable {
  readonly port: number;
  /** The heads of the requests after the first, and the connections that they came over. */
  readonly hits: readonly { readonly head: string; readonly connection: number }[];
}

/** Starts a server that responds to requests for `/first`, and ends the connection of others. */
async function start(scheme: "http" | "https", ending: Ending): Promise<EndingServer> {
  const hits: { head: string; connection: number }[] = [];
  const sockets = new Set<net.Socket>();
  let connections = 0;
  function serve(socket: net.Socket): void {
    const connection = ++connections;
    sockets.add(socket);
    socket.on("error", () => {});
    let text = "";
    socket.on("data", (data: Uint8Array) => {
      if (hits.some((hit) => hit.connection === connection)) return; // the rest of its body
      text += new TextDecoder("latin1").decode(data);
      if (!text.includes("\r\n\r\n")) return;
      const head = text;
      text = "";
      if (head.includes(" /first ")) {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        return;
      }
      hits.push({ head, connection });
      if (ending === "FIN") socket.end();
      else if (ending === "RST" && scheme === "http") socket.resetAndDestroy();
      else socket.destroy();
    });
  }
  const server = scheme === "https"
    ? tls.createServer({ cert, key }, serve)
    : net.createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    hits,
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const BODY = new TextEncoder().encode("body");
const BODIES = {
  "no body": () => null,
  bytes: () => BODY.slice(),
  "a stream": () => ReadableStream.from([BODY.slice()]),
};

/** The members of a request that decide whether `fetch` may repeat it. */
type Variant = Pick<TransportRequest, "method" | "body"> & Partial<TransportRequest>;

async function count(
  scheme: "http" | "https",
  ending: Ending,
  toRequest: () => Variant,
): Promise<{ readonly hits: number; readonly isFresh: boolean; readonly error: ProxyError }> {
  await using server = await start(scheme, ending);
  using clients = createFetchClients({ maxIdlePerHost: 4, caCerts: [ca] });
  const transport = createFetchTransport({ clients });
  const { signal } = new AbortController();
  const origin = `${scheme}://localhost:${server.port}`;
  const addresses = scheme === "http" ? ["127.0.0.1"] : undefined;
  const first = {
    method: "GET",
    url: new URL(`${origin}/first`),
    headers: [],
    body: null,
    addresses,
  };
  const { body } = await transport(first, signal);
  await body.bytes(9);
  const second = { ...first, url: new URL(`${origin}/second`), ...toRequest() };
  const error = await assertRejects(() => transport(second, signal), ProxyError);
  return {
    hits: server.hits.length,
    isFresh: server.hits.every(({ connection }) => connection > 1),
    error,
  };
}

for (const scheme of ["http", "https"] as const) {
  for (const ending of ["FIN", "RST", "destroyed"] as const) {
    for (const method of ["POST", "PATCH", "CONFIRM"]) {
      for (const [name, toBody] of Object.entries(BODIES)) {
        Deno.test(`${scheme}: ${method} with ${name} is sent once when a ${ending} ends it`, async () => {
          const { hits, isFresh, error } = await count(
            scheme,
            ending,
            () => ({ method, body: toBody() }),
          );
          assertEquals([hits, isFresh], [1, true]);
          assertEquals([error.code, error.sent, error.retryable], [
            "connection_terminated",
            "maybe",
            false,
          ]);
        });
      }
    }

    const ONCE: Readonly<Record<string, () => Variant>> = {
      "a GET whose attempts are counted": () => ({
        method: "GET",
        body: null,
        mayRepeat: () => true,
      }),
      "a PUT of a stream": () => ({ method: "PUT", body: BODIES["a stream"]() }),
      "a GET with Negotiate": () => ({
        method: "GET",
        body: null,
        headers: [["Authorization", "negotiate YII="]],
      }),
      "a GET with NTLM": () => ({
        method: "GET",
        body: null,
        headers: [["authorization", "NTLM TlR="]],
      }),
    };
    for (const [name, toRequest] of Object.entries(ONCE)) {
      Deno.test(`${scheme}: ${name} is sent once, over a connection of its own, when a ${ending} ends it`, async () => {
        const { hits, isFresh, error } = await count(scheme, ending, toRequest);
        assertEquals([hits, isFresh, error.code], [1, true, "connection_terminated"]);
      });
    }
  }
}

Deno.test("a GET shares connections, so that fetch may send it twice", async () => {
  const { hits, isFresh, error } = await count(
    "http",
    "FIN",
    () => ({ method: "GET", body: null }),
  );
  assertEquals([hits, isFresh, error.sent], [2, false, "maybe"]);
});

Deno.test("the connection of a request that authenticates it is used for nothing else", async () => {
  await using server = await start("http", "FIN");
  using clients = createFetchClients({ maxIdlePerHost: 4 });
  const transport = createFetchTransport({ clients });
  const { signal } = new AbortController();
  async function send(path: string, authorization?: string): Promise<void> {
    const { body } = await transport({
      method: "GET",
      url: new URL(`http://localhost:${server.port}${path}`),
      headers: authorization === undefined ? [] : [["authorization", authorization]],
      body: null,
    }, signal);
    await body.bytes(9);
  }
  await send("/first", "NTLM TlR=");
  await assertRejects(() => send("/second"), ProxyError);
  assertNotEquals(server.hits[0]?.connection, 1);
});

Deno.test("a request that may have been sent over an earlier connection does not say that it was not", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const connection = await listener.accept();
    const buffer = new Uint8Array(4096);
    await connection.read(buffer);
    await connection.write(
      new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    );
    const second = await connection.read(buffer);
    listener.close(); // the repetition finds no server
    connection.close();
    return second;
  })();
  using clients = createFetchClients({ maxIdlePerHost: 4 });
  const transport = createFetchTransport({ clients });
  const { signal } = new AbortController();
  const request = {
    method: "GET",
    url: new URL(`http://name.invalid:${listener.addr.port}/`),
    headers: [],
    body: null,
    addresses: ["127.0.0.1"],
  };
  const { body } = await transport(request, signal);
  await body.bytes(9);
  const error = await assertRejects(() => transport(request, signal), ProxyError);
  assertNotEquals(await serving, null, "the server has the second request");
  assertEquals([error.code, error.sent, error.retryable], ["connection_refused", "maybe", true]);
});
