import { assertEquals, assertRejects } from "@std/assert";
import { createGetStatus } from "../../src/upstream/health_check.ts";

const URL_OF_CHECK = new URL("http://upstream.test/health");
const UPSTREAM = { headers: [["x-key", "secret"]], route: { client: "fetch" } } as const;
const { signal } = new AbortController();

Deno.test("createGetStatus() makes a GET request with the fields and the route of the upstream, and discards the body", async () => {
  const requests: unknown[] = [];
  let discarded = 0;
  const getStatus = createGetStatus((request, options) => {
    requests.push([request, options.check(), options.signal]);
    return Promise.resolve({ head: { status: 204 }, body: { discard: () => void discarded++ } });
  });
  assertEquals(await getStatus(URL_OF_CHECK, UPSTREAM, signal), 204);
  const request = { method: "GET", body: null, redirect: "manual", url: URL_OF_CHECK, headers: [] };
  assertEquals(requests, [[
    request,
    { headers: UPSTREAM.headers, upstream: UPSTREAM.route },
    signal,
  ]]);
  assertEquals(discarded, 1);
});

Deno.test("createGetStatus() returns the status of a response without a body", async () => {
  const getStatus = createGetStatus(() => Promise.resolve({ head: { status: 304 }, body: null }));
  assertEquals(await getStatus(URL_OF_CHECK, UPSTREAM, signal), 304);
});

Deno.test("createGetStatus() rejects with the error of the request", async () => {
  const getStatus = createGetStatus(() => Promise.reject(new TypeError("refused")));
  await assertRejects(() => getStatus(URL_OF_CHECK, UPSTREAM, signal), TypeError, "refused");
});
