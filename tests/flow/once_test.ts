/**
 * How often a request reaches its destination, when that ends the connection at any place of the request or of its
 * response: a request that is not idempotent never twice, and none of which the client is told that it was not sent.
 *
 * `ONCE_STEP=1` makes every byte of a request a place, which takes minutes.
 */
import { assert, assertEquals } from "@std/assert";
import { type By, runMatrix } from "../helpers/once_matrix.ts";

const STEP = Number(Deno.env.get("ONCE_STEP") ?? 23);
const WAYS: readonly By[] = ["direct", "fetch", "proxy"];

for (const by of WAYS) {
  for (const scheme of ["http", "https"] as const) {
    Deno.test({
      name: `requests over connections that end reach ${scheme} destinations once (${by})`,
      ...(STEP < 23 && { timeout: 600_000 }),
      async fn() {
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
