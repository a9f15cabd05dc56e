import { assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import tls from "node:tls";
import { createFetchClients, type FetchClients } from "../../../src/http/fetch/clients.ts";

const folder = new URL("../../helpers/certificates/faulty/", import.meta.url);
const read = (name: string): string => Deno.readTextFileSync(new URL(name, folder));

const PLAIN = { isShared: true, proxy: undefined, route: undefined };
const PROXY = { url: "http://proxy.invalid:3128", basicAuth: { username: "me", password: "x" } };

interface World {
  readonly clients: FetchClients;
  readonly created: readonly Deno.CreateHttpClientOptions[];
  /** How many clients have not been closed. */
  readonly open: () => number;
}

function start(): World {
  const created: Deno.CreateHttpClientOptions[] = [];
  let open = 0;
  const clients = createFetchClients({ maxIdlePerHost: 7, caCerts: ["ca"] }, (options) => {
    created.push(options);
    open++;
    const close = (): void => void open--;
    return { close, [Symbol.dispose]: close } as Deno.HttpClient; // only its identity counts
  });
  return { clients, created, open: () => open };
}

Deno.test("find() returns one client for wishes that may share connections, and another for each that may not", () => {
  const { clients, created, open } = start();
  const route = {};
  const wishes = [
    PLAIN,
    { ...PLAIN, isShared: false },
    { ...PLAIN, proxy: PROXY },
    { ...PLAIN, proxy: { ...PROXY } },
    { ...PLAIN, route },
    { ...PLAIN, route: {} },
    { ...PLAIN, route, proxy: PROXY },
  ];
  const found = wishes.map((wish) => clients.find(wish));
  assertEquals(new Set(found).size, wishes.length);
  for (const [index, wish] of wishes.entries()) {
    assertStrictEquals(clients.find({ ...wish }), found[index]);
  }
  assertEquals([created.length, open()], [wishes.length, wishes.length]);
  clients[Symbol.dispose]();
  assertEquals(open(), 0);
});

Deno.test("find() creates clients that keep connections only where they are shared, with the proxy and the certificates", () => {
  const { clients, created } = start();
  clients.find(PLAIN);
  clients.find({ ...PLAIN, isShared: false, proxy: PROXY });
  const tls = { ca: "own", cert: "c", key: "k" };
  clients.find({ ...PLAIN, route: { tls } });
  const common = { allowHost: true, poolIdleTimeout: 30_000 };
  assertEquals(created, [
    { ...common, caCerts: ["ca"], poolMaxIdlePerHost: 7 },
    { ...common, caCerts: ["ca"], poolMaxIdlePerHost: 0, proxy: PROXY },
    { ...common, caCerts: ["ca", "own"], poolMaxIdlePerHost: 7, cert: "c", key: "k" },
  ] as Deno.CreateHttpClientOptions[]);
});

Deno.test("openTo() returns a new client for one TCP address, which the caller closes", () => {
  const { clients, created, open } = start();
  const address = { hostname: "192.0.2.1", port: 81 };
  const [one, other] = [clients.openTo(address), clients.openTo(address)];
  assertNotStrictEquals(one, other);
  assertEquals(created[0], {
    allowHost: true,
    poolMaxIdlePerHost: 0,
    proxy: { transport: "tcp", ...address },
  });
  for (const client of [one, other]) client.close();
  clients[Symbol.dispose]();
  assertEquals(open(), 0);
});

Deno.test("openTo() connects to its address whatever the URL says, and may be closed before the body is read", async () => {
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    ({ url }) =>
      new Response(
        ReadableStream.from([url, "x".repeat(1_000_000)]).pipeThrough(new TextEncoderStream()),
      ),
  );
  using clients = createFetchClients({ maxIdlePerHost: 1 });
  const client = clients.openTo({ hostname: "127.0.0.1", port: server.addr.port });
  const response = await fetch("http://name.invalid/a", { client });
  client.close();
  const text = await response.text();
  assertEquals([text.length, text.slice(0, 21)], [1_000_021, "http://name.invalid/a"]);
});

Deno.test("find() returns a client with the authority and the certificate of an upstream", async () => {
  const server = tls.createServer({
    cert: read("valid.pem"),
    key: read("server.key"),
    ca: read("ca.pem"),
    requestCert: true,
    rejectUnauthorized: true,
  }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const url = `https://localhost:${typeof address === "object" ? address?.port : ""}/`;
  using clients = createFetchClients({ maxIdlePerHost: 1 });
  const certificate = { cert: read("client_only.pem"), key: read("server.key") };
  async function textOf(tls: { ca?: string; cert?: string; key?: string }): Promise<string> {
    const client = clients.find({ ...PLAIN, route: { tls } });
    return await fetch(url, { client }).then((response) => response.text(), () => "failed");
  }
  assertEquals(await textOf({ ca: read("ca.pem"), ...certificate }), "ok");
  assertEquals(await textOf({ ca: read("ca.pem") }), "failed");
  assertEquals(await textOf(certificate), "failed");
  await new Promise((resolve) => server.close(resolve));
});
