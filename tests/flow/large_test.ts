/**
 * Bodies of any size go through a service whose memory does not grow with them.
 */
import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { encodeChunk } from "../../src/protocol/mod.ts";
import { connectV1, type TestClient } from "../helpers/client.ts";
import { startProcess } from "../helpers/process.ts";
import { startHttp } from "../helpers/upstream.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const MAX_GROWTH_MIB = 64;
const WINDOW_BYTES = 256 * 1024;
const BLOCK = crypto.getRandomValues(new Uint8Array(64 * 1024));

const LOOPBACK = { ALLOW_HOSTS: "127.0.0.1:*", REQUEST_TIMEOUT_MS: "120000" };

/** The hash of so many bytes of the same block over and over. */
function hashOfBlocks(bytes: number): string {
  const hash = createHash("sha256");
  for (let hashed = 0; hashed < bytes; hashed += BLOCK.length) hash.update(BLOCK);
  return hash.digest("hex");
}

/** A response of so many bytes, made as it is read. */
function respondWith(bytes: number): Response {
  let made = 0;
  return new Response(
    new ReadableStream({
      pull(controller): void {
        if (made >= bytes) return controller.close();
        made += BLOCK.length;
        controller.enqueue(BLOCK);
      },
    }),
  );
}

/** The resident memory of a process in MiB. */
function residentMib(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ?? [];
  return Number(kib) / 1024;
}

/** Proves that nothing but the answer to this ping is on its way. */
async function assertQuiet(client: TestClient): Promise<void> {
  assertEquals(await client.ask({ type: "ping", data: "quiet" }), { type: "pong", data: "quiet" });
}

const isLinux = Deno.build.os === "linux"; // memory is read from /proc

Deno.test({
  name: "1 GiB down, to a client that reads slowly at first, is whole",
  ignore: !isLinux,
  timeout: 300_000,
  async fn(): Promise<void> {
    await using upstream = startHttp(() => respondWith(GIB));
    await using service = await startProcess(LOOPBACK);
    await using client = await connectV1(service.url);
    const before = residentMib(service.pid);
    let most = before;
    const url = upstream.origin;
    const windowBytes = 64 * 1024;
    const head = await client.ask({ type: "request", id: 1, url, stream: true, windowBytes });
    assertEquals(head.stream, true);
    const hash = createHash("sha256");
    let received = 0;
    let ungranted = 0;
    for (let fin = false; !fin;) {
      const chunk = await client.next();
      assert(chunk.payload !== undefined, chunk.type);
      fin = chunk.fin;
      received += chunk.payload.byteLength;
      hash.update(chunk.payload);
      ungranted += chunk.payload.byteLength;
      if (ungranted < windowBytes) continue;
      const isSlow = received <= 16 * windowBytes;
      if (isSlow) await assertQuiet(client); // the credit is used up, and nothing comes
      if (received % (16 * MIB) < windowBytes) most = Math.max(most, residentMib(service.pid));
      const ahead = received === 16 * windowBytes ? 4 * MIB : 0;
      client.send({ type: "grant", id: 1, bytes: ungranted + ahead });
      ungranted = 0;
    }
    assertEquals([received, hash.digest("hex")], [GIB, hashOfBlocks(GIB)]);
    assert(most - before < MAX_GROWTH_MIB, `memory grew from ${before} to ${most} MiB`);
  },
});

Deno.test({
  name: "1 GiB up, into an upstream that reads slowly at first, is whole",
  ignore: !isLinux,
  timeout: 300_000,
  async fn(): Promise<void> {
    const gate = Promise.withResolvers<void>();
    await using upstream = startHttp(async (request) => {
      await gate.promise;
      const hash = createHash("sha256");
      for await (const chunk of request.body ?? []) hash.update(chunk);
      return new Response(hash.digest("hex"));
    });
    await using service = await startProcess(LOOPBACK);
    await using client = await connectV1(service.url);
    const before = residentMib(service.pid);
    let most = before;
    let credit = WINDOW_BYTES;
    let sent = 0;
    client.send({
      type: "request",
      id: 1,
      url: upstream.origin,
      method: "POST",
      bodyFollows: true,
      stream: true,
    });
    let isOpen = false;
    while (sent < GIB) {
      while (credit < BLOCK.length) {
        if (!isOpen) {
          // What nobody reads fills the system's buffers, and then no grant comes any more.
          const frame = await client.ask({ type: "ping", data: "quiet" });
          if (frame.type === "grant") credit += frame.bytes;
          else {
            isOpen = true;
            gate.resolve();
          }
          continue;
        }
        const frame = await client.next();
        if (frame.type === "grant") credit += frame.bytes;
      }
      sent += BLOCK.length;
      credit -= BLOCK.length;
      client.send(encodeChunk({ id: 1, payload: BLOCK, fin: sent === GIB }));
      if (sent % (64 * MIB) === 0) most = Math.max(most, residentMib(service.pid));
    }
    let frame = await client.next();
    while (frame.type !== "response") frame = await client.next();
    assertEquals(frame.text, hashOfBlocks(GIB));
    assert(most - before < MAX_GROWTH_MIB, `memory grew from ${before} to ${most} MiB`);
  },
});

Deno.test(
  "200 downloads of 10 MiB at once on 10 connections are whole",
  { timeout: 300_000 },
  async () => {
    await using upstream = startHttp(() => respondWith(10 * MIB));
    await using service = await startProcess(LOOPBACK);
    const expected = hashOfBlocks(10 * MIB);
    await Promise.all(Array.from({ length: 10 }, async () => {
      await using client = await connectV1(service.url);
      const hashes = new Map<number, ReturnType<typeof createHash>>();
      for (let id = 1; id <= 20; id++) {
        hashes.set(id, createHash("sha256"));
        client.send({ type: "request", id, url: upstream.origin, stream: true });
      }
      while (hashes.size > 0) {
        const { id, payload, fin, type } = await client.next();
        assert(type === undefined || type === "response", type);
        if (payload !== undefined) hashes.get(id)?.update(payload);
        if (fin !== true) continue;
        assertEquals(hashes.get(id)?.digest("hex"), expected);
        hashes.delete(id);
      }
    }));
  },
);
