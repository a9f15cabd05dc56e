/**
 * The HTTP clients of Deno that requests are made with: which requests share connections, and which proxy they use.
 *
 * @module
 */
import type { ProxyServer } from "../proxies.ts";
import type { UpstreamRoute } from "../transport.ts";

/** Where a request is connected to, and whether its connection may be used again. */
export interface ClientWish {
  /**
   * Whether the connection may have been used before, and may be used again. On a connection that was used before,
   * `fetch` sends a request a second time when the connection ends before the response, also if its method is not idempotent.
   */
  readonly isShared: boolean;
  readonly proxy: ProxyServer | undefined;
  readonly route: UpstreamRoute | undefined;
}

/** Clients, created when they are first needed. Disposing of them closes their idle connections. */
export interface FetchClients extends Disposable {
  /** Returns the client for a request. */
  find(wish: ClientWish): Deno.HttpClient;
  /** Returns a new client that connects to this TCP address for every URL, and uses no proxy. The caller closes it. */
  openTo(address: { readonly hostname: string; readonly port: number }): Deno.HttpClient;
}

/** What clients are created with. */
export interface FetchClientsOptions {
  /** Idle connections to one host. */
  readonly maxIdlePerHost: number;
  /** Certificates in PEM that are trusted in addition to those of Deno. */
  readonly caCerts?: readonly string[] | undefined;
}

type CreateClient = (
  options: Deno.CreateHttpClientOptions | (Deno.CreateHttpClientOptions & Deno.TlsCertifiedKeyPem),
) => Deno.HttpClient;

/** The clients for one way to connect. */
interface ClientPair {
  shared?: Deno.HttpClient;
  single?: Deno.HttpClient;
}

// As long as the service's own HTTP/1.1 client keeps connections.
const IDLE_MS = 30_000;

/** Creates {@linkcode FetchClients}. */
export function createFetchClients(
  { maxIdlePerHost, caCerts = [] }: FetchClientsOptions,
  create: CreateClient = Deno.createHttpClient,
): FetchClients {
  const unrouted = new Map<ProxyServer | undefined, ClientPair>();
  // A reload of the upstreams leaves the former clients until the end: some 20 KB for each upstream with a route.
  const routed = new WeakMap<UpstreamRoute, Map<ProxyServer | undefined, ClientPair>>();
  const opened: Deno.HttpClient[] = [];

  function pairOf({ route, proxy }: ClientWish): ClientPair {
    let pairs = route === undefined ? unrouted : routed.get(route);
    if (pairs === undefined) {
      pairs = new Map();
      if (route !== undefined) routed.set(route, pairs);
    }
    let pair = pairs.get(proxy);
    if (pair === undefined) pairs.set(proxy, pair = {});
    return pair;
  }

  function open({ isShared, proxy, route }: ClientWish): Deno.HttpClient {
    const { ca, cert, key } = route?.tls ?? {};
    const client = create({
      allowHost: true,
      caCerts: [...caCerts, ...(ca === undefined ? [] : [ca])],
      poolMaxIdlePerHost: isShared ? maxIdlePerHost : 0,
      poolIdleTimeout: IDLE_MS,
      ...(proxy && {
        proxy: { url: proxy.url, ...(proxy.basicAuth && { basicAuth: proxy.basicAuth }) },
      }),
      ...(cert !== undefined && key !== undefined && { cert, key }),
    });
    opened.push(client);
    return client;
  }

  return {
    find(wish): Deno.HttpClient {
      const pair = pairOf(wish);
      return wish.isShared ? pair.shared ??= open(wish) : pair.single ??= open(wish);
    },
    openTo: (address) =>
      create({
        allowHost: true,
        poolMaxIdlePerHost: 0,
        proxy: { transport: "tcp", ...address },
      }),
    [Symbol.dispose](): void {
      for (const client of opened) client.close();
    },
  };
}
