/**
 * Several ports of one process under load, in turn and a short while each, so that whatever else the machine does
 * meets them alike.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { countCpu } from "../proc.ts";
import { wait } from "../wait.ts";
import { createAnswerReader, createRequest } from "./answers.ts";
import type { TurnsJob, TurnsSample } from "./job.ts";
import { openSockets } from "./raw.ts";
import type { Socket } from "./socket.ts";

const READ_BYTES = 65_536;
// Until the server has done what it puts off, as writing its log, and its threads sleep: of those the kernel knows
// the time exactly.
const IDLE_MS = 70;

type Talk = Omit<TurnsJob, "ports"> & { readonly socket: Socket };

/** A connection that is quiet between its turns. */
interface Talker extends Disposable {
  /** Keeps exchanges in flight for so long, and gives their number when all are answered. */
  talk(milliseconds: number): Promise<number>;
}

/** Runs all turns; throws when an exchange has failed. */
export async function runTurns(job: TurnsJob): Promise<TurnsSample> {
  using stack = new DisposableStack();
  const talkers: (readonly Talker[])[] = [];
  for (const port of job.ports) {
    const sockets = await openSockets({ ...job, port }, job.connections);
    talkers.push(sockets.map((socket) => stack.use(createTalker({ ...job, socket }))));
  }

  /** Gives microseconds of CPU time for an exchange. */
  async function take(index: number, milliseconds: number): Promise<number> {
    const cpuSeconds = countCpu(job.serverPids);
    const numbers = await Promise.all(
      talkers[index]?.map((talker) => talker.talk(milliseconds)) ?? [],
    );
    await wait(IDLE_MS);
    return cpuSeconds() * 1e6 / numbers.reduce((sum, number) => sum + number, 0);
  }

  const forwards = job.ports.map((_, index) => index);
  for (const index of forwards) await take(index, job.warmMs);
  const rounds: number[][] = [];
  for (let round = 0; round < job.rounds; round++) {
    const micros: number[] = [];
    // Nobody is always behind the same.
    const order = round % 2 === 0 ? forwards : forwards.toReversed();
    for (const index of order) micros[index] = await take(index, job.turnMs);
    rounds.push(micros);
  }
  return { rounds };
}

function createTalker({ socket, inFlight, ...job }: Talk): Talker {
  const requests = Array.from({ length: inFlight }, (_, exchange) => createRequest(job, exchange));
  let outgoing: Uint8Array<ArrayBuffer>[] = [];
  let [underWay, count, endsAt] = [0, 0, 0];
  let done = Promise.withResolvers<void>();
  const read = createAnswerReader(job, {
    answered(exchange, failed): void {
      const request = requests[exchange];
      if (failed || request === undefined) throw new Error("An exchange has failed");
      count++;
      if (performance.now() < endsAt) outgoing.push(request);
      else if (--underWay === 0) done.resolve();
    },
    pinged: (pong) => void outgoing.push(pong),
  });

  async function listen(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    let bytes: Uint8Array = socket.rest;
    for (;;) {
      read(bytes);
      if (outgoing.length > 0) await socket.write(concat(outgoing));
      outgoing = [];
      const length = await socket.read(buffer);
      if (length === null) throw new Error("The server has ended the connection");
      bytes = buffer.subarray(0, length);
    }
  }

  listen().catch((error) => done.reject(error));
  return {
    async talk(milliseconds): Promise<number> {
      done = Promise.withResolvers();
      [underWay, count, endsAt] = [inFlight, 0, performance.now() + milliseconds];
      await socket.write(concat(requests));
      await done.promise;
      return count;
    },
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}
