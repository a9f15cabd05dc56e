import { assert, assertEquals } from "@std/assert";
import { connectV1 } from "../helpers/client.ts";
import { startCommand } from "../helpers/process.ts";
import { LOOPBACK } from "../helpers/service.ts";

const REQUESTS = 6000;
const AT_ONCE = 50;

/** Reads a child's standard output no further than it is asked to. */
function createReader(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): { readLine(): Promise<Record<string, unknown> | undefined> } {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  return {
    async readLine(): Promise<Record<string, unknown> | undefined> {
      while (!rest.includes("\n")) {
        const { value, done } = await reader.read();
        if (done) return undefined;
        rest += value;
      }
      const end = rest.indexOf("\n");
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      return JSON.parse(line);
    },
  };
}

/** Has the service log more lines than it keeps: each exchange is denied, which is answered and logged. */
async function makeLines(url: string): Promise<void> {
  await using client = await connectV1(url);
  for (let id = 1; id <= REQUESTS; id += AT_ONCE) {
    for (let next = id; next < id + AT_ONCE; next++) {
      client.send({ type: "request", id: next, url: "http://192.0.2.1/" });
    }
    for (let next = 0; next < AT_ONCE; next++) assertEquals((await client.next()).type, "error");
  }
}

async function isAlive(origin: string): Promise<boolean> {
  try {
    const response = await fetch(`${origin}/healthz`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // it does not listen
  }
}

async function countDropped(origin: string): Promise<number> {
  const text = await (await fetch(`${origin}/metrics`)).text();
  const [, count] = /^wsfetch_log_lines_dropped_total (\d+)$/m.exec(text) ?? [];
  return Number(count);
}

for (const workers of ["1", "2"]) {
  Deno.test(`a pipe that nobody reads stops nothing, with ${workers} of WORKERS`, async () => {
    const settings = { ...LOOPBACK, PORT: "0", WORKERS: workers, LOG_LEVEL: "debug" };
    await using child = startCommand(settings).spawn();
    const complaints = child.stderr.text();
    const { readLine } = createReader(child.stdout);
    const { host } = new URL(String((await readLine())?.url));
    for (let round = 0; round < Number(workers); round++) await makeLines(`ws://${host}/ws`);
    assertEquals(await isAlive(`http://${host}`), true);
    const dropped = await countDropped(`http://${host}`);
    assert(dropped > 0, `${dropped}`);

    // The reader goes on: what was kept is there, and how much is not. More may have been dropped since.
    let told = 0;
    while (told < dropped) {
      const line = await readLine();
      if (line?.event === "dropped") told += Number(line.lines);
    }
    child.kill("SIGTERM");
    let last: unknown;
    for (let line = await readLine(); line !== undefined; line = await readLine()) {
      last = line.event;
    }
    assertEquals(last, "stopped");
    assertEquals([(await child.status).code, await complaints], [0, ""]);
  });

  Deno.test(`SIGTERM ends a service whose log nobody reads, with ${workers} of WORKERS`, async () => {
    const settings = { ...LOOPBACK, PORT: "0", WORKERS: workers, LOG_LEVEL: "debug" };
    await using child = startCommand(settings).spawn();
    const complaints = child.stderr.text();
    const { readLine } = createReader(child.stdout);
    const { host } = new URL(String((await readLine())?.url));
    await makeLines(`ws://${host}/ws`);
    child.kill("SIGTERM");
    assertEquals([(await child.status).code, await complaints], [0, ""]);
    await child.stdout.cancel().catch(() => {});
  });
}

Deno.test({
  name: "a full disk stops nothing",
  ignore: Deno.build.os !== "linux",
  async fn(): Promise<void> {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const settings = { ...LOOPBACK, PORT: String(port), LOG_LEVEL: "debug" };
    const through = ["sh", "-c", 'exec "$0" "$@" > /dev/full'];
    await using child = startCommand(settings, { through }).spawn();
    const complaints = child.stderr.text();
    const origin = `http://127.0.0.1:${port}`;
    // Nothing tells when it listens, since its log is lost.
    while (!await isAlive(origin));
    await makeLines(`ws://127.0.0.1:${port}/ws`);
    assert(await countDropped(origin) > 0);
    assertEquals(await isAlive(origin), true);
    child.kill("SIGTERM");
    assertEquals([(await child.status).code, await complaints], [0, ""]);
    await child.stdout.cancel();
  },
});
