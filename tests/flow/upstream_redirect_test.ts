import { assert, assertEquals } from "@std/assert";
import { connectV1 } from "../helpers/client.ts";
import {
  askEach,
  FILE_SECRET,
  HEADERS,
  INJECTED,
  pick,
  request,
  startWith,
  statusOf,
  TOKEN,
} from "../helpers/named_upstreams.ts";
import { startHttp } from "../helpers/upstream.ts";

Deno.test("a redirect that puts a secret into the URL does not show it, in whatever spelling", async () => {
  const spellings = {
    "/all": encodeURIComponent(TOKEN),
    "/raw": TOKEN.replace("%", "%25").replace("&", "%26"), // as URL parsers encode the rest
    "/slash": encodeURIComponent(TOKEN).replaceAll("%2F", "/"), // as Python does
    "/most": encodeURIComponent(TOKEN).replace("~", "%7e").replace("!", "%21"), // as forms do
    "/form": String(new URLSearchParams({ t: FILE_SECRET })).slice(2),
  };
  await using server = startHttp(({ url }) => {
    const { pathname } = new URL(url);
    const secret = Object.entries(spellings).find(([path]) => `/v1${path}` === pathname)?.[1];
    if (secret === undefined) return new Response("there");
    return new Response(null, { status: 307, headers: { location: `/v1/there?t=${secret}&u=1` } });
  });
  await using service = startWith({ api: { baseUrl: `${server.origin}/v1`, headers: HEADERS } });
  await using client = await connectV1(service.url);
  for (const path of Object.keys(spellings)) {
    const answer = await client.ask(request(path));
    assertEquals([answer.text, answer.url], ["there", "api:/there?t=[redacted]&u=1"], path);
  }
  assertEquals(server.requests.length, 2 * Object.keys(spellings).length);
});

Deno.test("a redirect inside the base gets the header fields again, one to elsewhere never does", async () => {
  const seen: [string, Record<string, unknown>][] = [];
  const note = ({ url, headers }: Request): URL => {
    seen.push([url, pick(Object.fromEntries(headers))]);
    return new URL(url);
  };
  const none = pick({});
  await using other = startHttp((request) => {
    const { searchParams } = note(request);
    return Response.redirect(searchParams.get("to") ?? "", 302);
  });
  await using server = startHttp((request) => {
    const { searchParams } = note(request);
    const to = searchParams.get("to");
    return to === null ? new Response("there") : new Response(null, {
      status: 302,
      headers: { location: to },
    });
  });
  const upstreams = { api: { baseUrl: `${server.origin}/v1`, headers: HEADERS } };
  const to = (url: string): string => `?to=${encodeURIComponent(url)}`;
  const inside = `${server.origin}/v1/there`;
  const back = `${other.origin}/${to(inside)}`;
  const ALL = { ALLOW_HOSTS: "127.0.0.1:*" };

  await using open = startWith(upstreams, ALL);
  for (const answer of await askEach(open, `/x${to("/v1/there")}`)) {
    assertEquals(statusOf(answer), 200);
    if ("url" in answer) assertEquals([answer.url, answer.redirected], ["api:/there", true]);
  }
  for (const [, headers] of seen) assertEquals(headers, INJECTED);
  assertEquals(seen.length, 6);

  seen.length = 0;
  for (const answer of await askEach(open, `/x${to(back)}`)) assertEquals(statusOf(answer), 200);
  assertEquals(seen.map(([url]) => url).slice(0, 3), [
    `${server.origin}/v1/x${to(back)}`,
    back,
    inside,
  ]);
  assertEquals(seen.map(([, headers]) => headers), [1, 2, 3].flatMap(() => [INJECTED, none, none]));
  const reasons = open.log.filter(({ event }) => event === "decided").map(({ reason }) => reason);
  assertEquals(reasons.slice(-3), ["upstream:api", "127.0.0.1:*", "127.0.0.1:*"]);

  seen.length = 0;
  await using halfOpen = startWith(upstreams, { ALLOW_HOSTS: `127.0.0.1:${other.port}` });
  for (const answer of await askEach(halfOpen, `/x${to(back)}`)) {
    assert(["destination_ip_prohibited", "http_request_denied"].includes(answer.code));
    if ("type" in answer) assertEquals(answer.sent, "yes");
  }
  assertEquals(seen.length, 6, "the way back to the upstream is closed");

  seen.length = 0;
  await using closed = startWith(upstreams);
  for (const answer of await askEach(closed, `/x${to(back)}`)) {
    assert(["destination_ip_prohibited", "http_request_denied"].includes(answer.code));
  }
  assertEquals(seen.map(([url]) => new URL(url).port), Array(3).fill(String(server.port)));
});

Deno.test("a redirect on the same origin is denied outside the base, the patterns and the methods", async () => {
  await using server = startHttp(({ url }) => {
    const { searchParams } = new URL(url);
    const status = Number(searchParams.get("status"));
    const headers = { location: searchParams.get("to") ?? "" };
    return new Response(null, { status, headers });
  });
  await using service = startWith({
    api: {
      baseUrl: `${server.origin}/v1`,
      headers: HEADERS,
      paths: ["/repos/:id"],
      methods: ["POST"],
    },
  }, { ALLOW_HOSTS: "127.0.0.1:*" });
  await using client = await connectV1(service.url);
  const cases = [
    [307, "/v1/repos", "path"],
    [308, "/admin", "path"],
    [307, "/", "path"],
    [307, "/v1/repos/../../admin", "path"],
    [307, "/v1/repos/..%2f..%2fadmin", "path"],
    [307, "/v1/repos/a%2fb", "path"],
    [307, "/v1/users/1", "path"],
    [307, "/v10/repos/1", "path"],
    [307, `http://user:pass@127.0.0.1:${server.port}/v1/repos/1`, "path"],
    [303, "/v1/repos/1", "method"],
    [302, "/v1/repos/1", "method"],
    [301, "/v1/repos/1", "method"],
  ] as const;
  for (const [index, [status, to, reason]] of cases.entries()) {
    const path = `/repos/x?status=${status}&to=${encodeURIComponent(to)}`;
    const answer = await client.ask(request(path, { method: "POST", text: "x" }));
    const where = `${status} ${to}`;
    assertEquals([answer.code, answer.sent], ["http_request_denied", "yes"], where);
    const line = await service.logged("exchanged", ({ exchange }) => exchange === index + 1);
    assertEquals([line.decision, line.reason, line.upstream], ["deny", reason, "api"], where);
    assertEquals(server.requests.length, index + 1, "the redirect was not followed");
  }
});
