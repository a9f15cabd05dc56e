/**
 * Well-known libraries that accept a `fetch` work with `client.fetch`.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import axios from "axios";
import { EventSource } from "eventsource";
import ky, { HTTPError } from "ky";
import { createFetch, FetchError } from "ofetch";
import { createClient } from "../../src/client/mod.ts";
import { startService } from "../helpers/service.ts";
import { startTarget } from "./target.ts";

Deno.test("ky works with client.fetch", async () => {
  await using target = startTarget();
  await using service = startService();
  await using client = createClient(service.url);
  const api = ky.create({ fetch: client.fetch, prefix: target.origin, retry: 0 });
  assertEquals(await api.post("echo", { json: { a: [1] } }).json(), { a: [1] });
  assertEquals(await api.get("echo", { searchParams: { q: "é" } }).text(), "");
  const error = await assertRejects(() => api.get("status/404"), HTTPError);
  assertEquals(error.response.status, 404);
  const abort = new AbortController();
  const call = api.get("never", { signal: abort.signal, timeout: false });
  await target.requested("/never");
  abort.abort();
  assertEquals((await assertRejects(() => call.text(), DOMException)).name, "AbortError");
});

Deno.test("ky retries with client.fetch", async () => {
  await using target = startTarget();
  await using service = startService();
  await using client = createClient(service.url);
  const api = ky.create({ fetch: client.fetch, retry: { limit: 2, delay: () => 0 } });
  assertEquals(await api.put(`${target.origin}/second-time`, { body: "x" }).text(), "x");
});

Deno.test("ofetch works with client.fetch", async () => {
  await using target = startTarget();
  await using service = startService();
  await using client = createClient(service.url);
  const api = createFetch({ fetch: client.fetch, defaults: { baseURL: target.origin, retry: 0 } });
  assertEquals(await api("/echo", { method: "POST", body: { a: 1 } }), { a: 1 });
  assertEquals((await api.raw("/bytes/100000", { responseType: "blob" }))._data?.size, 100_000);
  const error = await assertRejects(() => api("/status/500"), FetchError);
  assertEquals(error.status, 500);
});

Deno.test("axios works with client.fetch, through its fetch adapter", async () => {
  await using target = startTarget();
  await using service = startService();
  await using client = createClient(service.url);
  const api = axios.create({
    adapter: "fetch",
    baseURL: target.origin,
    env: { fetch: client.fetch },
  });
  const { data, status } = await api.post("/echo", { a: 1 });
  assertEquals([data, status], [{ a: 1 }, 200]);
  const form = new FormData();
  form.set("a", "b");
  assert((await api.post("/echo", form, { responseType: "text" })).data.includes('name="a"'));
  const { data: bytes } = await api.get("/bytes/100000", { responseType: "arraybuffer" });
  assertEquals(bytes.byteLength, 100_000);
  const error = await assertRejects(() => api.get("/status/404"), axios.AxiosError);
  assertEquals(error.response?.status, 404);
  const abort = new AbortController();
  const call = api.get("/never", { signal: abort.signal });
  await target.requested("/never");
  abort.abort();
  await assertRejects(() => call, axios.CanceledError);
});

Deno.test("eventsource works with client.fetch", async () => {
  await using target = startTarget();
  await using service = startService();
  await using client = createClient(service.url);
  const source = new EventSource(`${target.origin}/events`, { fetch: client.fetch });
  const seen = await new Promise<string[]>((resolve) => {
    const events: string[] = [];
    source.addEventListener("tick", ({ data, lastEventId }) => {
      events.push(`${lastEventId}:${data}`);
      if (events.length === 4) resolve(events);
    });
  });
  source.close();
  assertEquals(seen, ["1:a", "2:b", "3:a", "4:b"]); // the second pair arrives after a reconnection
});
