import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { TcpConnection } from "../../../src/http/h1/connection.ts";
import { createReadHead } from "../../../src/http/h1/read_head.ts";
import { MAX_HEAD_BYTES } from "../../../src/http/h1/response_head.ts";
import { ProxyError } from "../../../src/protocol/mod.ts";
import { createWire } from "./wire.ts";

const START = "HTTP/1.1 200 OK\r\nx: ";

/** Returns an interim response of this size. */
function interim(bytes: number): string {
  const [start, end] = ["HTTP/1.1 103 x\r\nx: ", "\r\n\r\n"];
  return `${start}${"y".repeat(bytes - start.length - end.length)}${end}`;
}

async function readStatus(...segments: readonly (string | null)[]): Promise<number> {
  const connection = new TcpConnection(createWire(...segments));
  return (await createReadHead()(connection, "GET")).status;
}

async function assertRefused(message: string, ...segments: readonly string[]): Promise<void> {
  const error = await assertRejects(() => readStatus(...segments), ProxyError);
  assertEquals([error.code, error.message], ["http_protocol_error", message]);
}

const SKIPPED = "The response has more than 262144 bytes of interim responses and empty lines";

Deno.test("readHead() takes the bytes of the head, and leaves those of the body", async () => {
  const connection = new TcpConnection(
    createWire("HTTP/1.1 103 x\r\n\r\nHTTP/1.1 201 x\r\n\r\nabc"),
  );
  const head = await createReadHead()(connection, "GET");
  const { memory, start, end } = connection;
  assertEquals([head.status, memory.toString("latin1", start, end)], [201, "abc"]);
});

Deno.test("readHead() tells a server that speaks TLS from one that speaks something else", async () => {
  await assertRefused(
    "The destination speaks TLS on this port; use an https: URL, or another port",
    "\x15\x03\x01\x00\x02\x02\x46",
  );
  await assertRefused("The destination responded with something that is not HTTP", "220 smtp\r\n");
});

Deno.test("readHead() fails when the connection ends, by the method of the request", async () => {
  for (const [method, retryable] of [["GET", true], ["POST", false]] as const) {
    for (const segments of [[null], ["HTTP/1.1 200", null], ["HTTP/1.1 100 x\r\n\r\n", null]]) {
      const connection = new TcpConnection(createWire(...segments));
      const error = await assertRejects(() => createReadHead()(connection, method), ProxyError);
      assertEquals([error.code, error.retryable], ["connection_terminated", retryable]);
    }
  }
});

Deno.test("readHead() waits for the end of a head of the maximum size, and of no larger one", async () => {
  const longest = START.padEnd(MAX_HEAD_BYTES, "y");
  assertEquals(await readStatus(longest, "\r\n\r\n"), 200);
  const problem = "The response has more than 262144 bytes in its head";
  await assertRefused(problem, `${longest}y`, "\r\n\r\n");
});

Deno.test("readHead() measures a head by itself, without the interim responses before it", async () => {
  const head = START.padEnd(150_000, "y");
  assertEquals(await readStatus(interim(200_000) + head, "\r\n\r\n"), 200);
});

Deno.test("readHead() skips interim responses of the maximum size in total, and no more", async () => {
  const eighth = MAX_HEAD_BYTES / 8;
  const most = interim(eighth).repeat(7) + interim(eighth);
  assertEquals(await readStatus(`${most}HTTP/1.1 204 x\r\n\r\n`), 204);
  const more = interim(eighth).repeat(7) + interim(eighth + 1);
  await assertRefused(SKIPPED, `${more}HTTP/1.1 204 x\r\n\r\n`);
});

Deno.test("readHead() skips empty lines before a response and between interim responses", async () => {
  const text = "\r\n\n\r\nHTTP/1.1 103 x\r\n\r\n\r\n\r\nHTTP/1.1 201 x\r\n\r\n";
  for (const segments of [[text], [...text]]) assertEquals(await readStatus(...segments), 201);
});

Deno.test("readHead() skips a limited number of empty lines", async () => {
  const most = "\r\n".repeat(MAX_HEAD_BYTES / 2);
  assertEquals(await readStatus(`${most}HTTP/1.1 204 x\r\n\r\n`), 204);
  await assertRefused(SKIPPED, `${most}\nHTTP/1.1 204 x\r\n\r\n`);
  await assertRefused(SKIPPED, ...Array.from({ length: 9 }, () => "\n".repeat(30_000)));
});

Deno.test("readHead() refuses what does not begin like HTTP as soon as it arrives", async () => {
  const problem = "The destination responded with something that is not HTTP";
  for (const text of ["SSH-2.0-x\r\n", "\0", "\rH", "\r\n\0", " HTTP/1.1 200 OK\r\n\r\n"]) {
    for (const segments of [[text], [...text]]) await assertRefused(problem, ...segments);
  }
});

const STATUSES = [
  { status: 101, expected: "http_protocol_error" },
  { status: 199, expected: "skipped" },
  { status: 200, expected: "returned" },
];

for (const { status, expected } of STATUSES) {
  Deno.test(`readHead() takes the status ${status} as ${expected}`, async () => {
    const reading = readStatus(`HTTP/1.1 ${status} x\r\n\r\n`, "HTTP/1.1 204 x\r\n\r\n");
    const outcome = await reading.catch(({ code }: ProxyError) => code);
    assertEquals(outcome, { skipped: 204, returned: 200 }[expected] ?? expected);
  });
}

Deno.test("readHead() looks at no byte again and again when a head arrives byte by byte", async () => {
  const text = `${START}${"y".repeat(2000)}\r\n\r\n`;
  const bytes = Buffer.from(text, "latin1");
  let looks = 0;
  const memory = new Proxy(bytes, {
    get(target, key): unknown {
      if (typeof key === "string" && /^\d+$/.test(key)) looks++;
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const connection = {
    memory,
    start: 0,
    end: 0,
    fill(): Promise<boolean> {
      this.end++;
      return Promise.resolve(this.end <= text.length);
    },
  };
  // It uses no more of a connection.
  const { status } = await createReadHead()(connection as unknown as TcpConnection, "GET");
  assertEquals(status, 200);
  assert(looks < 30 * text.length, `${looks} looks at ${text.length} bytes`);
});
