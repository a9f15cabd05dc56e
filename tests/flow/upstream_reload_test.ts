import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect, connectV1 } from "../helpers/client.ts";
import { headersOf, isNth } from "../helpers/named_upstreams.ts";
import { startCommand, startProcess } from "../helpers/process.ts";
import { startHttp } from "../helpers/upstream.ts";

/** A directory of this test alone. */
async function makeDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("SIGHUP reads the upstreams and their secrets again, or leaves them as they are", async () => {
  const came = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  await using server = startHttp(async ({ url, headers }) => {
    if (url.endsWith("/slow")) {
      came.resolve();
      await gate.promise;
    }
    return Response.json([headers.get("x-file"), headers.get("x-env")], {
      headers: { "x-echo": headers.get("x-file") ?? "" },
    });
  });
  await using directory = await makeDirectory();
  const [json, secret] = [`${directory.path}/upstreams.json`, `${directory.path}/secret`];
  const headers = { "x-file": `\${file:${secret}}`, "x-env": "${env:UPSTREAM_KEY}" };
  const write = (upstreams: unknown): Promise<void> =>
    Deno.writeTextFile(json, JSON.stringify(upstreams));
  await Deno.writeTextFile(secret, "marker-one\n");
  await write({ api: { baseUrl: server.origin, headers } });
  await using service = await startProcess({
    ALLOW_HOSTS: "",
    UPSTREAMS: json,
    UPSTREAM_KEY: "marker-env",
  });
  await using client = await connectV1(service.url);
  const ask = async (name = "api"): Promise<unknown> => {
    const { code, json } = await client.ask({ type: "request", id: 1, url: `${name}:/x` });
    return code ?? json;
  };
  assertEquals(await ask(), ["marker-one", "marker-env"]);
  client.send({ type: "request", id: 2, url: "api:/slow" });
  await came.promise;

  await Deno.writeTextFile(secret, "marker-two");
  await write({
    api: { baseUrl: `${server.origin}/v2`, headers },
    second: { baseUrl: server.origin, headers },
  });
  service.kill("SIGHUP");
  const { upstreams } = await service.log.logged("reloaded");
  assertEquals(upstreams, ["api", "second"]);
  assertEquals(await ask(), ["marker-two", "marker-env"]);
  assertEquals(server.requests.at(-1), `GET ${server.origin}/v2/x`);
  assertEquals(await ask("second"), ["marker-two", "marker-env"]);
  await using later = await connect(service.url, ["wsfetch.v1"]);
  assertEquals((await later.next()).upstreams, ["api", "second"]);

  const broken: (() => Promise<void>)[] = [
    () => Deno.writeTextFile(json, '{"api": marker}'), // what JSON.parse would quote
    () => Deno.writeTextFile(json, '{"api": {"headers": {"x": "marker-inline"}'),
    () => write({ api: { baseUrl: "marker-base", headers } }),
    () => write({ api: { baseUrl: server.origin, headers: { x: "marker-${" } } }),
    () => write(["marker-list"]),
    () => Deno.remove(json),
    async () => {
      await write({ api: { baseUrl: server.origin, headers } });
      await Deno.remove(secret);
    },
  ];
  for (const [index, breakIt] of broken.entries()) {
    await breakIt();
    service.kill("SIGHUP");
    const { error } = await service.log.logged("failed", isNth(index + 1, () => true));
    assertMatch(String(error), /UPSTREAMS: /);
    assert(!String(error).includes("marker"), String(error));
    assertEquals(await ask(), ["marker-two", "marker-env"]);
  }

  await write({ second: { baseUrl: server.origin } });
  service.kill("SIGHUP");
  await service.log.logged("reloaded", isNth(2, () => true));
  assertEquals(await ask(), "unknown_upstream");
  gate.resolve();
  const finished = await client.next();
  assertEquals([finished.id, finished.json], [2, ["marker-one", "marker-env"]]);
  assertEquals([finished.url, headersOf(finished)["x-echo"]], ["api:/slow", "[redacted]"]);
  assert(!JSON.stringify(service.log.lines).includes("marker"), "no secret was logged");
  service.kill("SIGTERM");
  assertEquals((await service.status).code, 0);
});

Deno.test("upstreams that cannot be used end the start with 2 and a line for each problem", async () => {
  const { code, stdout, stderr } = await startCommand({
    UPSTREAM_KEY: "marker-env\u0001",
    UPSTREAMS: JSON.stringify({
      api: { baseUrl: "https://user:marker@api.example.com", headers: { "x-a": "marker-${oops}" } },
      B: { baseUrl: "https://api.example.com", headers: { "x-b": "${env:NOT_SET}" } },
      third: {
        baseUrl: "https://api.example.com",
        headers: { authorization: "Bearer ${env:UPSTREAM_KEY}" },
        timeoutMs: "marker",
        "marker odd": 1,
      },
    }),
  }).output();
  assertEquals([code, stdout.length], [2, 0]);
  const text = new TextDecoder().decode(stderr);
  const lines = text.trimEnd().split("\n");
  assertEquals(lines.map((line) => line.replace(/^UPSTREAMS: (\S+) .*$/, "$1")).toSorted(), [
    "B",
    "B.headers.x-b",
    "api.baseUrl",
    "api.headers.x-a",
    "third.(an",
    "third.headers.authorization",
    "third.timeoutMs",
  ]);
  assert(!text.includes("marker"), text);

  const missing = await startCommand({ UPSTREAMS: "/nowhere/upstreams.json" }).output();
  assertEquals(missing.code, 2);
  assertMatch(
    new TextDecoder().decode(missing.stderr),
    /^UPSTREAMS: the file "\/nowhere\/upstreams.json" cannot be read \(NotFound\)\n$/,
  );
});
