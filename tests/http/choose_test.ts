import { assertEquals, assertStrictEquals } from "@std/assert";
import { chooseTransport } from "../../src/http/choose.ts";
import type {
  Transport,
  TransportRequest,
  TransportResponse,
  UpstreamRoute,
} from "../../src/http/transport.ts";
import type { HeaderPairs } from "../../src/protocol/mod.ts";
import { fakeBody } from "./fake_body.ts";

interface NamedTransport {
  readonly transport: Transport;
  readonly calls: readonly (readonly [TransportRequest, AbortSignal])[];
  /** The promise that every call returns. */
  readonly promise: Promise<TransportResponse>;
}

function createTransport(): NamedTransport {
  const calls: [TransportRequest, AbortSignal][] = [];
  const { body } = fakeBody([]);
  const promise = Promise.resolve({
    status: 200,
    statusText: "",
    headers: [],
    decoded: false,
    body,
  });
  return {
    transport: (request, signal) => {
      calls.push([request, signal]);
      return promise;
    },
    calls,
    promise,
  };
}

function requestOf(
  url: string,
  headers: HeaderPairs = [],
  route?: UpstreamRoute,
): TransportRequest {
  return { method: "GET", url: new URL(url), headers, body: null, addresses: ["127.0.0.1"], route };
}

const CHOICES: readonly {
  readonly name: string;
  readonly url?: string;
  readonly headers?: HeaderPairs;
  readonly route?: UpstreamRoute;
  readonly isDirect: boolean;
}[] = [
  { name: "an http URL", isDirect: true },
  { name: "an https URL", url: "https://a.invalid/", isDirect: true },
  { name: "a host that a proxy is meant for", url: "http://proxied.invalid/", isDirect: false },
  { name: "the route of an upstream", route: {}, isDirect: true },
  { name: "a route that asks for fetch", route: { client: "fetch" }, isDirect: false },
  { name: "other codings", headers: [["accept-encoding", "gzip, zstd"]], isDirect: true },
  { name: "br", headers: [["accept-encoding", "br"]], isDirect: true },
];

const PROXY = { url: "http://proxy.invalid", basicAuth: undefined };

for (const { name, url = "http://a.invalid/", headers = [], route, isDirect } of CHOICES) {
  Deno.test(`chooseTransport() makes a request with ${name} ${isDirect ? "directly" : "with fetch"}`, () => {
    const [direct, viaFetch] = [createTransport(), createTransport()];
    const transport = chooseTransport({
      direct: direct.transport,
      viaFetch: viaFetch.transport,
      findProxy: ({ hostname }) => hostname === "proxied.invalid" ? PROXY : undefined,
    });
    const request = requestOf(url, headers, route);
    const { signal } = new AbortController();
    const [chosen, other] = isDirect ? [direct, viaFetch] : [viaFetch, direct];
    // No promise is added.
    assertStrictEquals(transport(request, signal), chosen.promise);
    assertEquals([chosen.calls.length, other.calls.length], [1, 0]);
    assertStrictEquals(chosen.calls[0]?.[0], request);
    assertStrictEquals(chosen.calls[0]?.[1], signal);
  });
}

Deno.test("chooseTransport() makes requests to https URLs with fetch while direct connections are overloaded", async () => {
  const [direct, viaFetch] = [createTransport(), createTransport()];
  let isOverloaded = true;
  const transport = chooseTransport({
    direct: direct.transport,
    viaFetch: viaFetch.transport,
    isOverloaded: () => isOverloaded,
  });
  const { signal } = new AbortController();
  await transport(requestOf("http://a.invalid/"), signal);
  await transport(requestOf("https://a.invalid/"), signal);
  assertEquals([direct.calls.length, viaFetch.calls.length], [1, 1]);
  isOverloaded = false;
  await transport(requestOf("https://a.invalid/"), signal);
  assertEquals([direct.calls.length, viaFetch.calls.length], [2, 1]);
});

Deno.test("chooseTransport() returns fetch's transport itself when there is no other", () => {
  const { transport } = createTransport();
  assertStrictEquals(chooseTransport({ direct: undefined, viaFetch: transport }), transport);
});
