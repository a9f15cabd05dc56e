import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createRouter } from "../../src/server/router.ts";
import { connectRaw } from "../helpers/raw_client.ts";
import { startService } from "../helpers/service.ts";

const RESPONSES = [
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
  {
    method: "GET",
    path: "/console/handshake",
    status: 405,
    body: "method_not_allowed",
    allow: "POST",
  },
  {
    method: "POST",
    path: "/console/main.js",
    status: 405,
    body: "method_not_allowed",
    allow: "GET, HEAD",
  },
  { method: "GET", path: "/console/format.js", status: 404, body: "not_found" },
];

for (const { method, path, status, body, allow } of RESPONSES) {
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

Deno.test("GET / is the console, which loads nothing from elsewhere", async () => {
  await using service = startService();
  const response = await fetch(service.origin);
  const page = await response.text();
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  assertStringIncludes(page, "wsfetch");
  assertEquals(
    response.headers.get("content-security-policy"),
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
      "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  assertEquals(response.headers.get("x-content-type-options"), "nosniff");
  // No inline scripts and styles, and no URLs of other origins.
  const inline =
    /<script(?![^>]* src="\/)|<style|\sstyle=|\son\w+=|(?:src|href)="(?!\/(?!\/)|#|data:,)/;
  assertEquals(inline.exec(page)?.[0], undefined);
  for (const [, path] of page.matchAll(/(?:src|href)="(\/[^"]*)"/g)) {
    const asset = await fetch(`${service.origin}${path}`);
    await asset.body?.cancel();
    assertEquals(asset.status, 200, path);
  }
});

const WITHOUT_CONSOLE = [
  { method: "GET", path: "/", status: 404 },
  { method: "GET", path: "/console/main.js", status: 404 },
  { method: "GET", path: "/console/console.css", status: 404 },
  { method: "POST", path: "/console/handshake", status: 404 },
  { method: "GET", path: "/client/mod.js", status: 200 },
];
for (const { method, path, status } of WITHOUT_CONSOLE) {
  Deno.test(`without a console, ${method} ${path} is ${status}`, async () => {
    await using service = startService({ CONSOLE: "off" });
    const response = await fetch(`${service.origin}${path}`, { method });
    assertEquals(response.status, status);
    assert(!(await response.text()).includes("/,"), "the message does not name it");
  });
}

Deno.test("createRouter() responds with 500 when a route throws, and reports the error", async () => {
  const failures: unknown[] = [];
  const handle = createRouter({
    upgrade: () => {
      throw new Error("broken");
    },
    assets: {},
    isDraining: () => false,
    isOverloaded: () => false,
  }, {
    wantsAllowedHops: false,
    emit: (event) => event.type === "failed" && failures.push(event.error),
  });
  const info = {
    remoteAddr: { transport: "tcp", hostname: "x", port: 1 },
  } as Deno.ServeHandlerInfo;
  const response = await handle(new Request("http://localhost/ws"), info);
  assertEquals([response.status, (await response.json()).error.code], [500, "internal_error"]);
  assertEquals(failures.map(String), ["Error: broken"]);
});
