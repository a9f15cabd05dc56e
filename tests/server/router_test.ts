import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createRouter } from "../../src/server/router.ts";
import type { Telemetry } from "../../src/telemetry/telemetry.ts";
import { connectRaw } from "../helpers/raw_client.ts";
import { startService } from "../helpers/service.ts";

const ANSWERS = [
  { method: "GET", path: "/healthz", status: 200, body: { status: "alive" } },
  { method: "HEAD", path: "/healthz", status: 200, body: undefined },
  { method: "GET", path: "/readyz", status: 200, body: { status: "ready" } },
  { method: "GET", path: "/readyz?x=1", status: 200, body: { status: "ready" } },
  { method: "GET", path: "/nope", status: 404, body: "not_found" },
  { method: "GET", path: "/constructor", status: 404, body: "not_found" },
  { method: "GET", path: "/healthz/", status: 404, body: "not_found" },
  { method: "POST", path: "/healthz", status: 405, body: "method_not_allowed", allow: "GET, HEAD" },
  { method: "DELETE", path: "/", status: 405, body: "method_not_allowed", allow: "GET, HEAD" },
  { method: "POST", path: "/ws", status: 405, body: "method_not_allowed", allow: "GET" },
  { method: "HEAD", path: "/ws", status: 405, body: undefined, allow: "GET" },
];

for (const { method, path, status, body, allow } of ANSWERS) {
  Deno.test(`${method} ${path} is ${status}`, async () => {
    await using service = startService();
    const response = await fetch(`${service.origin}${path}`, { method });
    const text = await response.text();
    assertEquals(response.status, status);
    assertEquals(response.headers.get("allow"), allow ?? null);
    if (body === undefined) return assertEquals(text, "");
    assertEquals(response.headers.get("content-type"), "application/json");
    const json = JSON.parse(text);
    if (typeof body === "string") {
      assertEquals(json.error.code, body);
      assert(json.error.message.length > 0);
    } else assertEquals(json, body);
  });
}

for (const host of ["a b", "[", "%%%", "x:99999"]) {
  Deno.test(`a request to the host ${host} is refused, and its path is not logged`, async () => {
    await using service = startService();
    using client = await connectRaw(service.port, { host }, "GET /s3cret?s3cret HTTP/1.1");
    assertStringIncludes(client.answer, "HTTP/1.1 400 ");
    assertEquals(service.log, []);
  });
}

Deno.test("GET / is a page that nothing foreign can join", async () => {
  await using service = startService();
  const response = await fetch(service.origin);
  const page = await response.text();
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  assertStringIncludes(page, "wsfetch");
  assertStringIncludes(response.headers.get("content-security-policy") ?? "", "default-src 'none'");
  assertEquals(response.headers.get("x-content-type-options"), "nosniff");
  assertEquals(/<script|https?:\/\/(?!localhost|example\.com)/.exec(page)?.[0], undefined);
});

Deno.test("createRouter() answers 500 when a route throws, and reports it", async () => {
  const failures: unknown[] = [];
  const handle = createRouter({
    upgrade: () => {
      throw new Error("broken");
    },
    page: "",
    assets: {},
    isDraining: () => false,
    telemetry: { failed: ({ error }) => failures.push(error) } as Partial<Telemetry> as Telemetry,
  });
  const info = {
    remoteAddr: { transport: "tcp", hostname: "x", port: 1 },
  } as Deno.ServeHandlerInfo;
  const response = await handle(new Request("http://localhost/ws"), info);
  assertEquals([response.status, (await response.json()).error.code], [500, "internal_error"]);
  assertEquals(failures.map(String), ["Error: broken"]);
});
