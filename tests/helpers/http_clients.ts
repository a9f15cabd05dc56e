/**
 * Both HTTP clients: what holds for one has to hold for the other.
 *
 * @module
 */
import { createForward, type Forward } from "../../src/forward/forward.ts";
import { chooseTransport } from "../../src/http/choose.ts";
import { createFetchClients } from "../../src/http/fetch/clients.ts";
import { createFetchTransport } from "../../src/http/fetch/transport.ts";
import { createHttp1Client } from "../../src/http/h1/client.ts";
import type { Transport } from "../../src/http/transport.ts";

/** An HTTP client, by its name in the setting HTTP_CLIENT. */
export type HttpClientName = "direct" | "fetch";

/** Makes requests with one client. Disposing of it closes its idle connections. */
export interface ForwardClient extends Disposable {
  readonly forward: Forward;
  readonly transport: Transport;
}

const NAMES: readonly HttpClientName[] = ["direct", "fetch"];

/** Defines the same test for each client. */
export function testEach(name: string, test: (by: HttpClientName) => Promise<void>): void {
  for (const by of NAMES) Deno.test(`${name} (${by})`, () => test(by));
}

/**
 * Creates a client.
 *
 * @param caCerts The certificates that `https:` trusts.
 */
export function createForwardClient(
  by: HttpClientName,
  caCerts: readonly string[] = [],
): ForwardClient {
  const clients = createFetchClients({ maxIdlePerHost: 4, caCerts });
  const http1 = createHttp1Client({ caCerts });
  const transport = chooseTransport({
    direct: by === "direct" ? http1.request : undefined,
    viaFetch: createFetchTransport({ clients }),
  });
  return {
    transport,
    forward: createForward(transport),
    [Symbol.dispose](): void {
      http1[Symbol.dispose]();
      clients[Symbol.dispose]();
    },
  };
}
