import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import deno from "../deno.json" with { type: "json" };
import { SETTINGS } from "../src/config/setting_docs.ts";
import { connectV1 } from "./helpers/client.ts";
import { startCommand, startProcess } from "./helpers/process.ts";
import { LOOPBACK } from "./helpers/service.ts";
import { startHttp } from "./helpers/upstream.ts";

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} finishes what is in flight, and the process exits with 0`, async () => {
    const came = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    await using upstream = startHttp(async () => {
      came.resolve();
      await gate.promise;
      return new Response("finished");
    });
    await using service = await startProcess(LOOPBACK);
    await using client = await connectV1(service.url);
    client.send({ type: "request", id: 1, url: upstream.origin });
    await came.promise;
    service.kill(signal);
    assertEquals(await client.next(), { type: "goaway", graceMs: 10000 });
    const ready = await fetch(`${service.origin}/readyz`);
    assertEquals([ready.status, (await ready.json()).error.code], [503, "draining"]);
    gate.resolve();
    assertEquals((await client.next()).text, "finished");
    assertEquals(await client.closed, { code: 1001, reason: "Going away" });
    assertEquals((await service.status).code, 0);
    const events = service.log.lines.map(({ event }) => event);
    assertEquals(events.slice(-4), ["draining", "exchanged", "disconnected", "stopped"]);
  });
}

Deno.test("a second signal ends the process at once", async () => {
  const came = Promise.withResolvers<void>();
  await using upstream = startHttp(() => {
    came.resolve();
    return new Promise<Response>(() => {});
  });
  await using service = await startProcess({ ...LOOPBACK, DRAIN_MS: "600000" });
  await using client = await connectV1(service.url);
  client.send({ type: "request", id: 1, url: upstream.origin });
  await came.promise;
  service.kill("SIGTERM");
  assertEquals((await client.next()).type, "goaway");
  service.kill("SIGTERM");
  assertEquals((await service.status).code, 143);
});

Deno.test("the process outlives an error that nothing caught, and logs it", async () => {
  const stray = "data:application/javascript," + encodeURIComponent(`
    Deno.addSignalListener("SIGUSR1", () => { Promise.reject(new Error("stray rejection")); });
    Deno.addSignalListener("SIGUSR2", () => {
      setTimeout(() => { throw new Error("stray exception"); }, 0);
    });
  `);
  await using service = await startProcess(LOOPBACK, ["--preload", stray]);
  const isAbout = (text: string) => ({ error }: { error?: unknown }): boolean =>
    String(error).includes(text);
  service.kill("SIGUSR1");
  await service.log.logged("failed", isAbout("stray rejection"));
  service.kill("SIGUSR2");
  await service.log.logged("failed", isAbout("stray exception"));
  const alive = await fetch(`${service.origin}/healthz`);
  assertEquals(await alive.json(), { status: "alive" });
  service.kill("SIGTERM");
  assertEquals((await service.status).code, 0);
});

Deno.test("wrong settings end the start with 2 and a line for each", async () => {
  const { code, stdout, stderr } = await startCommand({
    PORT: "eighty",
    ALLOW_HOSTS: "public,what is this",
    WSFETCH_PORT: "80",
    WSFETCH_COLOUR: "red",
  }).output();
  assertEquals([code, stdout.length], [2, 0]);
  const lines = new TextDecoder().decode(stderr).trimEnd().split("\n").toSorted();
  assertEquals(lines.map((line) => line.split(":")[0]), [
    "ALLOW_HOSTS",
    "PORT",
    "WSFETCH_COLOUR",
    "WSFETCH_PORT",
  ]);
});

Deno.test("a service that others can reach does not start without authentication", async () => {
  for (const HOST of ["0.0.0.0", "::"]) {
    const { code, stdout, stderr } = await startCommand({ HOST, PORT: "0" }).output();
    assertEquals([code, stdout.length], [2, 0]);
    assertStringIncludes(new TextDecoder().decode(stderr), "AUTH_TOKENS");
    await using open = await startProcess({ HOST, AUTH: "none" });
    const alive = await fetch(`http://127.0.0.1:${open.port}/healthz`);
    assertEquals(await alive.json(), { status: "alive" });
  }
});

Deno.test("the task start may read settings, secrets and the size of the memory and use the network, and nothing else", () => {
  const permissions = deno.tasks.start.command.split(" ").filter((word) =>
    word.startsWith("--allow")
  );
  // The process keeps `net` alone after its start; a test below checks that.
  assertEquals(permissions, [
    "--allow-net",
    "--allow-env",
    "--allow-read",
    "--allow-sys=systemMemoryInfo",
  ]);
});

Deno.test("the task start:parallel is the task start with all cores", () => {
  const { start, "start:parallel": parallel } = deno.tasks;
  assertEquals(parallel.command, `WORKERS=auto ${start.command}`);
});

/** Logs, at SIGUSR1, what the process may still do. */
const ASK = "data:application/javascript," + encodeURIComponent(`
  Deno.addSignalListener("SIGUSR1", () => {
    const names = ["env", "read", "net", "write", "run", "sys", "ffi"];
    const granted = names.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
    console.log(JSON.stringify({ event: "asked", granted }));
  });
`);

Deno.test("the process gives up its environment, and files unless it reads them again", async () => {
  await using upstream = startHttp(() => new Response("found"));
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, '{"a":"http://127.0.0.1:1/"}');
    for (const [UPSTREAMS, expected] of [["", ["net"]], [file, ["read", "net"]]] as const) {
      await using service = await startProcess({ ...LOOPBACK, UPSTREAMS }, ["--preload", ASK]);
      service.kill("SIGUSR1");
      assertEquals((await service.log.logged("asked")).granted, expected);
      // A name that is looked up, a request that is made: neither needs more than the network.
      await using client = await connectV1(service.url);
      client.send({ type: "request", id: 1, url: `http://localhost:${upstream.port}/` });
      assertEquals((await client.next()).text, "found");
    }
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("a port that is taken ends the start with 1 and says so", async () => {
  await using other = startHttp(() => new Response());
  const { code, stderr } = await startCommand({ PORT: String(other.port) }).output();
  assertEquals(code, 1);
  assertStringIncludes(
    new TextDecoder().decode(stderr),
    `Cannot listen on http://127.0.0.1:${other.port}/: `,
  );
});

Deno.test("--help documents every setting, --version names the version", async () => {
  const help = await startCommand({}, { args: ["--help"] }).output();
  const text = new TextDecoder().decode(help.stdout);
  assertEquals(help.code, 0);
  for (const { name, default: value } of SETTINGS) {
    assertStringIncludes(text, `\n  ${name} (default ${value === "" ? "empty" : value})\n`);
  }
  const version = await startCommand({}, { args: ["--version"] }).output();
  assert(/^wsfetch\/\d+\.\d+\.\d+\n$/.test(new TextDecoder().decode(version.stdout)));
  const unknown = await startCommand({}, { args: ["--hlep"] }).output();
  assertEquals(unknown.code, 2);
  assertStringIncludes(new TextDecoder().decode(unknown.stderr), "--help");
});

Deno.test("--schema prints the JSON Schema of every frame that a client sends", async () => {
  const { code, stdout } = await startCommand({}, { args: ["--schema"] }).output();
  assertEquals(code, 0);
  const schemas = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(Object.keys(schemas), ["request", "cancel", "grant", "ping", "auth", "plain"]);
  assertEquals(schemas.grant.required, ["type", "id", "bytes"]);
  assertEquals(schemas.plain.required, ["url", "method"]);
});

Deno.test("the service listens again after it has run out of file descriptors", async () => {
  const limited = `ulimit -n 64 && exec "$0" "$@"`;
  await using service = await startProcess(LOOPBACK, [], ["sh", "-c", limited]);
  const { port } = service;
  const connections: Deno.Conn[] = [];
  const failed = service.log.logged("failed", ({ error }) => String(error).includes("open files"));
  for (let count = 0; count < 100; count++) {
    // Refused once the listener has failed.
    const connection = await Deno.connect({ port, hostname: "127.0.0.1" }).catch(() => undefined);
    if (connection !== undefined) connections.push(connection);
  }
  await failed;
  {
    using _other = Deno.listen({ port, hostname: "127.0.0.1" });
    for (const connection of connections) connection.close();
    await service.log.logged("failed", ({ error }) => String(error).includes("Cannot listen on"));
  }
  let starts = 0;
  await service.log.logged("started", () => ++starts === 2);
  const alive = await fetch(`${service.origin}/healthz`);
  assertEquals(await alive.json(), { status: "alive" });
  service.kill("SIGTERM");
  assertEquals((await service.status).code, 0);
});
