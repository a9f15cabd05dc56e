/**
 * How often a request reaches its destination, when that ends the connection at any place of the request or of its
 * response: a request that is not idempotent never twice, and none of which the client is told that it was not sent.
 *
 * `ONCE_STEP=1` makes every byte of a request, and of the TLS handshake before it, a place; that takes three minutes.
 */
import { assert, assertEquals } from "@std/assert";
import { connectV1 } from "../helpers/client.ts";
import { startEnding } from "../helpers/ending_server.ts";
import { type By, CERTIFICATE, runMatrix, startServiceBy } from "../helpers/once_matrix.ts";

const STEP = Number(Deno.env.get("ONCE_STEP") ?? 23);
const WAYS: readonly By[] = ["direct", "fetch", "proxy"];

for (const by of WAYS) {
  for (const scheme of ["http", "https"] as const) {
    Deno.test({
      name: `requests over connections that end reach ${scheme} destinations once (${by})`,
      ...(STEP < 23 && { timeout: 600_000 }),
      async fn(): Promise<void> {
        const { problems, hits, reused, doubles, missed } = await runMatrix({
          by,
          scheme,
          step: STEP,
        });
        assertEquals(problems, []);
        assertEquals(doubles, 0);
        assert(hits > 0 && reused > 0 && missed > 0);
      },
    });
  }
}

for (const by of ["direct", "fetch"] as const) {
  for (const scheme of ["http", "https"] as const) {
    for (const ending of ["FIN", "RST"] as const) {
      Deno.test(`an upstream's attempts count all that is sent over ${scheme} connections that end by ${ending} (${by})`, async () => {
        await using server = await startEnding(scheme === "https" ? CERTIFICATE : undefined);
        const retry = { attempts: 3, backoffMs: 1, maxBackoffMs: 10 };
        const UPSTREAMS = JSON.stringify({ api: { baseUrl: server.origin, retry } });
        await using service = startServiceBy(by, { proxy: "", UPSTREAMS });
        await using client = await connectV1(service.url);
        for (const [method, hits] of [["GET", 3], ["PUT", 3], ["POST", 1]] as const) {
          const request = { type: "request", url: "api:/" };
          server.plan(undefined);
          assertEquals((await client.ask({ ...request, id: 1 })).status, 200);
          server.plan({ ending, place: { type: "read", bytes: 1 } });
          const { code, sent } = await client.ask({ ...request, id: 2, method });
          await server.drained();
          const isReused = server.reused() > 0;
          assertEquals([code, sent, server.hits()], ["connection_terminated", "maybe", hits]);
          assertEquals(isReused, by === "direct", "an idle connection was used");
        }
      });
    }
  }
}
