import { assert, assertEquals, assertMatch } from "@std/assert";
import { connectPlain, connectV1, type Frame, type TestClient } from "../helpers/client.ts";
import { startService } from "../helpers/service.ts";
import { type RawUpstream, startRaw } from "../helpers/upstream.ts";
import { HARMLESS_PATHS, HOSTILE_PATHS, mayEscape } from "../upstream/path_corpus.ts";

/** A server that notes what it was asked for, byte for byte. */
interface Recorder extends RawUpstream {
  /** Each request: its target as it stands in the request line, and its host. */
  readonly targets: { readonly target: string; readonly host: string }[];
}

function startRecorder(): Recorder {
  const targets: Recorder["targets"] = [];
  const server = startRaw(async (connection) => {
    for (let head = ""; (head = await connection.readHead()) !== "";) {
      const [, target = head] = /^[A-Z]+ (\S+) HTTP\/1\.1\r\n/.exec(head) ?? [];
      const hosts = [...head.matchAll(/^host: (.*)\r$/gim)].map(([, host]) => host);
      targets.push({ target, host: hosts.join() });
      await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx");
    }
    connection.close();
  });
  return Object.assign(server, { targets });
}

/** What the corpus has not: ways to a port that is known. */
function trapPaths(trap: number): readonly string[] {
  const host = `127.0.0.1:${trap}`;
  return [
    `//${host}`,
    `//${host}/v1/x`,
    `///${host}/x`,
    `/\\${host}/x`,
    `\\\\${host}/x`,
    `/\t/${host}/x`,
    `/%2f${host}/x`,
    `/%5c${host}/x`,
    `/.//${host}/x`,
    `/..//${host}/x`,
    `@${host}/x`,
    `:x@${host}/x`,
    `.${host}/x`,
    `:${trap}/x`,
    `${trap}/x`,
    `/@${host}/x`,
    `/x@${host}/x`,
    `/http://${host}/x`,
    `http://${host}/x`,
    `/x HTTP/1.1\r\nhost: ${host}\r\n\r\nGET /trap`,
    `/x HTTP/1.1 GET http://${host}/`,
    `/x%20HTTP/1.1%0d%0ahost:%20${host}`,
    `/x?\r\nhost: ${host}`,
    `/x?y#\r\nhost: ${host}`,
    `/x\u2028host: ${host}`,
    `/x\u560d\u560ahost: ${host}`, // CR LF where only the low bytes are kept
    `/\u012e\u012e/\u012e\u012e/x`, // likewise ".."
    `/\u{1f32e}\u{1f32e}/x`,
  ];
}

const SPELLINGS = {
  "upstream and path": (client: TestClient, path: string): Promise<Frame> =>
    client.ask({ type: "request", id: 1, upstream: "api", path }),
  "url": (client: TestClient, path: string): Promise<Frame> =>
    client.ask({ type: "request", id: 1, url: `api:${path}` }),
  "plain url": (client: TestClient, path: string): Promise<Frame> =>
    client.ask({ url: `api:${path}`, method: "GET" }),
};

const REFUSALS: ReadonlySet<string> = new Set(["bad_request", "http_request_denied"]);

for (const base of ["/v1", "/base/path/", ""]) {
  for (const [spelling, ask] of Object.entries(SPELLINGS)) {
    Deno.test(`no path leads out of the base "${base}", written as ${spelling}`, async () => {
      await using trap = startRecorder();
      await using server = startRecorder();
      await using service = startService({
        // Whatever a path may be taken for, the policy would let it through.
        ALLOW_HOSTS: "127.0.0.1:*,localhost:*,*.example:*",
        UPSTREAMS: JSON.stringify({ api: `${server.origin}${base}` }),
      });
      await using client = await (spelling === "plain url" ? connectPlain : connectV1)(service.url);
      const prefix = base.replace(/\/$/, "");
      const root = new URL(`${server.origin}${base}`);
      const host = `127.0.0.1:${server.port}`;
      let made = 0;

      for (const path of [...HOSTILE_PATHS, ...trapPaths(trap.port)]) {
        const answer = await ask(client, path);
        const where = JSON.stringify(path);
        if (answer.code !== undefined) {
          // "api:https://…" is a URL of another scheme to one, and no path to the other.
          assert(REFUSALS.has(answer.code), `${where}: ${answer.code}`);
          if ("type" in answer) assertEquals(answer.sent, "no", where);
          assertEquals(server.targets.length, made, where);
          continue;
        }
        assertEquals(server.targets.length, ++made, where);
        const seen = server.targets.at(-1);
        assertEquals(seen?.host, host, where);
        const target = seen?.target ?? "";
        assert(target.startsWith(`${prefix}/`), `${where}: ${target}`);
        assert(!mayEscape(root, target.replace(/\?.*$/s, "")), `${where}: ${target}`);
      }

      for (const [path, expected] of HARMLESS_PATHS) {
        assertEquals((await ask(client, path)).code, undefined, path);
        assertEquals(server.targets.at(-1), { target: `${prefix}${expected}`, host });
        made++;
      }
      assertEquals(server.targets.length, made);
      assertEquals(trap.connections(), 0);

      // The trap is none by accident: asked for by its URL, it is reached.
      const url = `${trap.origin}/x`;
      const open = spelling === "plain url"
        ? { url, method: "GET" }
        : { type: "request", id: 1, url };
      assertEquals((await client.ask(open)).code, undefined);
      assertEquals(trap.targets.map(({ target }) => target), ["/x"]);
    });
  }
}

const QUERIES: readonly Record<string, unknown>[] = [
  { "../": "../../x" },
  { "/../..": "" },
  { "#": "#/../.." },
  { "": "//evil.example" },
  { "a\r\nhost": "evil.example\r\n\r\nGET / HTTP/1.1" },
  { "?": "?", "&": ["&", "="], "%2e%2e/": "%2e%2e%2f" },
  { "@evil.example": "\\\\evil.example" },
  { "\ud800": "\udfff" },
  { "\u560d\u560a": "\u560d\u560ahost: evil.example" },
  { ["__proto__"]: "x", constructor: "y" },
];

Deno.test("no query leads out of the path, in either dialect", async () => {
  await using server = startRecorder();
  await using service = startService({
    ALLOW_HOSTS: "*.example:*",
    UPSTREAMS: JSON.stringify({ api: { baseUrl: `${server.origin}/v1`, paths: ["/x"] } }),
  });
  await using v1 = await connectV1(service.url);
  await using plain = await connectPlain(service.url);
  for (const query of QUERIES) {
    for (const path of ["/x", "/x?", "/x?a=1", "/x#", "/x#?", "/x?a#b"]) {
      const answers = [
        await v1.ask({ type: "request", id: 1, upstream: "api", path, query }),
        await v1.ask({ type: "request", id: 1, url: `api:${path}`, query }),
        await plain.ask({ url: `api:${path}`, method: "GET", data: query }),
      ];
      for (const { status, status_code } of answers) assertEquals(status ?? status_code, 200);
      const [one = { target: "", host: "" }, ...others] = server.targets.slice(-3);
      assertMatch(one.target, /^\/v1\/x\?[\w%+*.=&-]*$/);
      assertEquals(others, [one, one]);
      assertEquals(one.host, `127.0.0.1:${server.port}`);
      const sent = new URLSearchParams(one.target.slice("/v1/x?".length));
      for (const [name, value] of Object.entries(query)) {
        assertEquals(
          sent.getAll(name.toWellFormed()),
          [value].flat().map((each) => String(each).toWellFormed()),
        );
      }
    }
  }
  assertEquals(server.targets.length, QUERIES.length * 6 * 3);
});

Deno.test("the name of an upstream is no way to another host", async () => {
  await using trap = startRecorder();
  await using server = startRecorder();
  await using service = startService({
    ALLOW_HOSTS: "127.0.0.1:*",
    UPSTREAMS: JSON.stringify({ api: `${server.origin}/v1` }),
  });
  await using client = await connectV1(service.url);
  const host = `127.0.0.1:${trap.port}`;
  const frames: readonly object[] = [
    ...[
      `http://${host}`,
      `${host}`,
      `api@${host}`,
      `api:/@${host}`,
      "..",
      "api/..",
      "API",
      " api",
      "api ",
    ]
      .map((upstream) => ({ upstream, path: "/x" })),
    { upstream: "api", path: "/x", url: `http://${host}/` },
    { upstream: "api", url: `http://${host}/` },
    { upstream: "api" },
    { path: "/x" },
    { url: `api://${host}/x` },
    { url: `api:\\\\${host}/x` },
    { url: ` api:/x` },
    { url: `api:x` },
    { url: `API:/x` },
    { url: `api\n:/x` },
  ];
  for (const frame of frames) {
    const answer = await client.ask({ type: "request", id: 1, ...frame });
    const where = JSON.stringify(frame);
    assert([...REFUSALS, "unknown_upstream"].includes(answer.code), `${where}: ${answer.code}`);
    assertEquals(answer.sent, "no", where);
  }
  assertEquals([trap.connections(), server.connections()], [0, 0]);
  const answer = await client.ask({ type: "request", id: 1, url: "api:/x" });
  assertEquals([answer.status, server.targets[0]?.target], [200, "/v1/x"]);
});

Deno.test("a host in the client's header fields is not the one that an upstream sees", async () => {
  await using server = startRecorder();
  await using service = startService({
    ALLOW_HOSTS: "",
    UPSTREAMS: JSON.stringify({ api: `${server.origin}/v1` }),
  });
  await using client = await connectV1(service.url);
  for (const name of ["host", "Host", "HOST", ":authority", "x-forwarded-host"]) {
    const headers = [[name, "evil.example"], [name, "evil.example"]];
    const answer = await client.ask({ type: "request", id: 1, url: "api:/x", headers });
    assertEquals(answer.code ?? answer.status, name === ":authority" ? "bad_request" : 200);
  }
  assertEquals(
    new Set(server.targets.map(({ host }) => host)),
    new Set([`127.0.0.1:${server.port}`]),
  );
});
