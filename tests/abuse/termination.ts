/**
 * SIGTERM while streams are under way.
 *
 * @module
 */
import { connectV1, type TestClient } from "../helpers/client.ts";
import { startProcess } from "../helpers/process.ts";
import { startHttp } from "../helpers/upstream.ts";

/** Connections that the streams are on. */
export const CONNECTIONS = 20;
const STREAMS_EACH = 10;
const HALF = new Uint8Array(50_000).fill(1);

/** Streams that are under way at SIGTERM. */
export const STREAMS = CONNECTIONS * STREAMS_EACH;

/** What came of it. */
export interface Termination {
  /** Streams that arrived whole. */
  readonly whole: number;
  /** Connections that were closed with 1001. */
  readonly closed: number;
  readonly exitCode: number;
}

/** Starts 200 streams, sends SIGTERM, and lets the destination end them once every client knows of the drain. */
export async function terminate(workers: number): Promise<Termination> {
  const gate = Promise.withResolvers<void>();
  await using destination = startHttp(() =>
    new Response(
      new ReadableStream({
        async start(controller): Promise<void> {
          controller.enqueue(HALF);
          await gate.promise;
          controller.enqueue(HALF);
          controller.close();
        },
      }),
    )
  );
  await using service = await startProcess({
    ALLOW_HOSTS: "127.0.0.1:*",
    DRAIN_MS: "60000",
    WORKERS: String(workers),
  });
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => connectV1(service.url)),
  );
  let told = 0;
  let begun = 0;
  const allBegun = Promise.withResolvers<void>();
  const streaming = clients.map((client) =>
    takeStreams(client, {
      url: destination.origin,
      onHead: () => ++begun === STREAMS && allBegun.resolve(),
      onGoaway: () => ++told === CONNECTIONS && gate.resolve(),
    })
  );
  await Promise.race([allBegun.promise, Promise.all(streaming)]);
  service.kill("SIGTERM");
  const whole = await Promise.all(streaming);
  const closes = await Promise.all(clients.map(({ closed }) => closed));
  const { code } = await service.status;
  return {
    whole: whole.reduce((sum, count) => sum + count, 0),
    closed: closes.filter(({ code }) => code === 1001).length,
    exitCode: code,
  };
}

/** Streams on one connection; returns how many arrived whole when it has closed. */
async function takeStreams(
  client: TestClient,
  { url, onHead, onGoaway }: {
    readonly url: string;
    readonly onHead: () => void;
    readonly onGoaway: () => void;
  },
): Promise<number> {
  const bytes = new Map<number, number>();
  let whole = 0;
  for (let id = 1; id <= STREAMS_EACH; id++) {
    client.send({ type: "request", id, url, stream: true });
  }
  for (;;) {
    const frame = await client.next().catch(() => undefined);
    if (frame === undefined) return whole;
    if (frame.type === "response") onHead();
    else if (frame.type === "goaway") onGoaway();
    else if (frame.payload !== undefined) {
      bytes.set(frame.id, (bytes.get(frame.id) ?? 0) + frame.payload.length);
      if (frame.fin && bytes.get(frame.id) === 2 * HALF.length) whole++;
    }
  }
}
