/**
 * Responses that no request has asked for (RFC 9112 §9.2), written right after a response while the next request is on its
 * way: no request gets one.
 */
import { assertEquals } from "@std/assert";
import { countAnswers, type Load } from "../helpers/unasked.ts";

const LOADS: Readonly<Record<string, Load>> = {
  "one after the other": { clients: 1, inFlight: 1, requests: 200 },
  "64 in flight of one client": { clients: 1, inFlight: 64, requests: 600 },
  "64 in flight of 8 clients": { clients: 8, inFlight: 8, requests: 600 },
};

// What comes in a second write may come after the next request: `fetch` takes it for the response to that.
const MOMENTS = { direct: ["together", "at once"], fetch: ["together"] } as const;

for (const by of ["direct", "fetch"] as const) {
  for (const scheme of ["http", "https"] as const) {
    for (const moment of MOMENTS[by]) {
      for (const [name, load] of Object.entries(LOADS)) {
        Deno.test(`an unasked response over ${scheme}, written ${moment}, is nobody's: ${name} (${by})`, async () => {
          const answers = await countAnswers({ by, scheme, moment }, load);
          assertEquals(answers, { own: load.requests, unasked: 0, foreign: 0, errors: 0 });
        });
      }
    }
  }
}
