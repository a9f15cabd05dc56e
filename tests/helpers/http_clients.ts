/**
 * The HTTP clients that there are for `http:` URLs: what holds for one has to hold for each.
 *
 * @module
 */
import { createFetchTransport } from "../../src/http/fetch/transport.ts";
import { createForward, type Forward } from "../../src/forward/forward.ts";
import { createHttp1Client } from "../../src/http/h1/client.ts";

/** What HTTP_CLIENT calls them. */
export type HttpClientName = "direct" | "fetch";

/** Makes requests with one client, which keeps its connections until it is disposed of. */
export interface ForwardClient extends Disposable {
  readonly forward: Forward;
}

const NAMES: readonly HttpClientName[] = ["direct", "fetch"];

/** Defines the same test with every client. */
export function testEach(name: string, test: (by: HttpClientName) => Promise<void>): void {
  for (const by of NAMES) Deno.test(`${name} (${by})`, () => test(by));
}

/** Creates what makes requests by one client; `caCerts`: whom `https:` trusts. */
export function createForwardClient(
  by: HttpClientName,
  caCerts: readonly string[] = [],
): ForwardClient {
  const client = Deno.createHttpClient({ allowHost: true, caCerts: [...caCerts] });
  const http1 = createHttp1Client({ maxIdlePerHost: 4 });
  const https = createFetchTransport({ client });
  return {
    forward: createForward({ http: by === "direct" ? http1.request : https, https }),
    [Symbol.dispose](): void {
      http1[Symbol.dispose]();
      client.close();
    },
  };
}
