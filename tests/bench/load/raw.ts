/**
 * The load generator: requests as bytes that were made before, over TCP, in closed loops.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { wait } from "../wait.ts";
import { createAnswerReader, createRequest } from "./answers.ts";
import type { LoadJob, Sample } from "./job.ts";
import { measure, type Meter } from "./meter.ts";
import { openSocket, type Socket } from "./socket.ts";

const READ_BYTES = 65_536;
const CONNECTS_AT_ONCE = 50;
// For exchanges in flight at the end of a round, so that none is cut off on account of the next.
const DRAIN_MS = 3000;

/** Runs a round against a server that speaks WebSocket or HTTP. */
export async function runRawLoad(job: LoadJob): Promise<Sample> {
  // HTTP/1.1 has one exchange at a time on a connection.
  const [connections, inFlight] = job.dialect === "http"
    ? [job.connections * job.inFlight, 1]
    : [job.connections, job.inFlight];
  const sockets = await openSockets(job, connections);
  return await measure(job, async (meter, signal) => {
    await Promise.all(
      sockets.map((socket) => converse({ ...job, inFlight, socket }, meter, signal)),
    );
  });
}

/** Opens so many connections. */
export async function openSockets(
  job: Pick<LoadJob, "port" | "dialect">,
  connections: number,
): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < connections) {
    const count = Math.min(CONNECTS_AT_ONCE, connections - sockets.length);
    sockets.push(...await Promise.all(Array.from({ length: count }, () => openSocket(job))));
  }
  return sockets;
}

interface Conversation extends LoadJob {
  readonly socket: Socket;
}

/** Keeps exchanges in flight until the signal is aborted, then waits for the last answers and closes. */
async function converse(
  { socket, inFlight, ...job }: Conversation,
  meter: Meter,
  signal: AbortSignal,
): Promise<void> {
  const requests = Array.from({ length: inFlight }, (_, exchange) => createRequest(job, exchange));
  const startedAt = new Float64Array(inFlight);
  const drained = Promise.withResolvers<void>();
  let outgoing: Uint8Array<ArrayBuffer>[] = [];
  let underWay = inFlight;
  let now = performance.now(); // read once for all that came at once
  let closed = false;
  const read = createAnswerReader(job, {
    answered(exchange, failed): void {
      const request = requests[exchange];
      if (request === undefined) throw new Error("An answer belongs to no request");
      meter.answered(now - (startedAt[exchange] ?? NaN), failed);
      startedAt[exchange] = now;
      if (!signal.aborted) outgoing.push(request);
      else if (--underWay === 0) drained.resolve();
    },
    pinged: (pong) => void outgoing.push(pong),
  });

  async function loop(): Promise<void> {
    startedAt.fill(now);
    await socket.write(concat(requests));
    const buffer = new Uint8Array(READ_BYTES);
    let bytes: Uint8Array = socket.rest;
    for (;;) {
      now = performance.now();
      read(bytes);
      const [first, second] = outgoing;
      if (first !== undefined) await socket.write(second === undefined ? first : concat(outgoing));
      outgoing = [];
      const length = await socket.read(buffer);
      if (length === null) throw new Error("The server has ended the connection");
      bytes = buffer.subarray(0, length);
    }
  }

  const looping = loop().catch(() => {
    if (!closed) meter.lost();
    drained.resolve();
  });
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  await Promise.race([drained.promise, wait(DRAIN_MS)]);
  closed = true;
  socket[Symbol.dispose]();
  await looping;
}
