/**
 * Which authorities the service trusts: by every variable and flag of Deno, with both HTTP clients, also in workers.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { connectV1 } from "../helpers/client.ts";
import { startCommand, startProcess } from "../helpers/process.ts";
import { LOOPBACK } from "../helpers/service.ts";
import { type HttpUpstream, startHttp } from "../helpers/upstream.ts";

const folder = new URL("../helpers/certificates/", import.meta.url);
const path = (name: string): string => new URL(name, folder).pathname;
const read = (name: string): string => Deno.readTextFileSync(path(name));

const CA = path("ca.pem");
const MISSING = path("missing.pem");
const CLIENT_CERTIFICATE = { cert: path("localhost.pem"), key: path("localhost.key") };
const UNTRUSTED = "tls_certificate_error";

function startDestination(cert: string, key: string): HttpUpstream {
  return startHttp(() => new Response("ok"), { cert: read(cert), key: read(key) });
}

const ROWS: readonly {
  readonly name: string;
  readonly settings?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  readonly expected: "ok" | typeof UNTRUSTED;
}[] = [
  { name: "nothing is set", expected: UNTRUSTED },
  { name: "DENO_CERT", settings: { DENO_CERT: CA }, expected: "ok" },
  { name: "--cert", flags: ["--cert", CA], expected: "ok" },
  { name: "NODE_EXTRA_CA_CERTS", settings: { NODE_EXTRA_CA_CERTS: CA }, expected: "ok" },
  {
    name: "NODE_EXTRA_CA_CERTS that cannot be read",
    settings: { NODE_EXTRA_CA_CERTS: MISSING },
    expected: UNTRUSTED,
  },
  { name: "SSL_CERT_FILE alone", settings: { SSL_CERT_FILE: CA }, expected: UNTRUSTED },
  {
    name: "SSL_CERT_FILE with the store of Mozilla",
    settings: { SSL_CERT_FILE: CA, DENO_TLS_CA_STORE: "mozilla" },
    expected: UNTRUSTED,
  },
  {
    name: "SSL_CERT_FILE with the store of the system",
    settings: { SSL_CERT_FILE: CA, DENO_TLS_CA_STORE: "system" },
    expected: "ok",
  },
  {
    name: "SSL_CERT_FILE with both stores",
    settings: { SSL_CERT_FILE: CA, DENO_TLS_CA_STORE: "mozilla,system" },
    expected: "ok",
  },
  {
    name: "DENO_CERT beside the store of the system",
    settings: { DENO_CERT: CA, DENO_TLS_CA_STORE: "system", SSL_CERT_FILE: path("faulty/ca.pem") },
    expected: "ok",
  },
  {
    name: "DENO_CERT beside NODE_EXTRA_CA_CERTS",
    settings: { DENO_CERT: path("faulty/ca.pem"), NODE_EXTRA_CA_CERTS: CA },
    expected: "ok",
  },
  ...(Deno.build.os === "linux"
    ? [
      { name: "workers and DENO_CERT", settings: { WORKERS: "2", DENO_CERT: CA } },
      {
        name: "workers and NODE_EXTRA_CA_CERTS",
        settings: { WORKERS: "2", NODE_EXTRA_CA_CERTS: CA },
      },
    ].map((row) => ({ ...row, expected: "ok" as const }))
    : []),
];

for (const { name, settings = {}, flags = [], expected } of ROWS) {
  Deno.test(`trust: ${name}`, async () => {
    await using destination = startDestination("localhost.pem", "localhost.key");
    const baseUrl = `https://localhost:${destination.port}`;
    const UPSTREAMS = JSON.stringify({
      fetched: { baseUrl, client: "fetch" },
      identified: { baseUrl, tls: CLIENT_CERTIFICATE },
    });
    await using service = await startProcess({ ...LOOPBACK, ...settings, UPSTREAMS }, flags);
    await using client = await connectV1(service.url);
    for (const url of [baseUrl, "fetched:/", "identified:/"]) {
      const { text, code } = await client.ask({ type: "request", id: 1, url });
      assertEquals([url, text ?? code], [url, expected]);
    }
  });
}

Deno.test("trust: tls.ca of an upstream is trusted by its requests only, beside DENO_CERT", async () => {
  await using one = startDestination("localhost.pem", "localhost.key");
  await using other = startDestination("faulty/valid.pem", "faulty/server.key");
  const tls = { ca: path("faulty/ca.pem") };
  const of = ({ port }: HttpUpstream, client?: "fetch"): unknown => ({
    baseUrl: `https://localhost:${port}`,
    tls,
    ...(client && { client }),
  });
  const UPSTREAMS = JSON.stringify({
    "one": of(one),
    "one-fetched": of(one, "fetch"),
    "other": of(other),
    "other-fetched": of(other, "fetch"),
    "plain-fetched": { baseUrl: `https://localhost:${other.port}`, client: "fetch" },
  });
  await using service = await startProcess({ ...LOOPBACK, DENO_CERT: CA, UPSTREAMS });
  await using client = await connectV1(service.url);
  const ask = async (url: string): Promise<unknown> => {
    const { text, code } = await client.ask({ type: "request", id: 1, url });
    return text ?? code;
  };
  for (const name of ["one", "one-fetched", "other", "other-fetched"]) {
    assertEquals([name, await ask(`${name}:/`)], [name, "ok"]);
  }
  assertEquals(await ask(`https://localhost:${other.port}/`), UNTRUSTED);
  assertEquals(await ask("plain-fetched:/"), UNTRUSTED);
});

for (
  const settings of [
    { DENO_CERT: MISSING },
    { DENO_TLS_CA_STORE: "windows" },
    { DENO_TLS_CA_STORE: "system", SSL_CERT_FILE: MISSING },
  ]
) {
  const names = Object.entries(settings).map((pair) => pair.join("=").replace(folder.pathname, ""));
  Deno.test(`trust: authorities that cannot be loaded end the start with 2: ${names}`, async () => {
    const { code, stdout, stderr } = await startCommand({ PORT: "0", ...settings }).output();
    assertEquals([code, stdout.length], [2, 0]);
    const text = new TextDecoder().decode(stderr);
    assertStringIncludes(text, "DENO_CERT, DENO_TLS_CA_STORE, SSL_CERT_FILE: ");
    assertEquals(text.trimEnd().split("\n").length, 1);
  });
}
