/**
 * Connections that stay open and do nothing, as the load generator holds them.
 *
 * @module
 */
import { countCpu, readResidentBytes } from "../proc.ts";
import { wait } from "../wait.ts";
import { createAnswerReader, createRequest } from "./answers.ts";
import type { IdleJob, IdleSample } from "./job.ts";
import { openSockets } from "./raw.ts";
import type { Socket } from "./socket.ts";

const READ_BYTES = 1024;
const SETTLE_MS = 2000;
const ANSWER_MS = 30_000;
const EXCHANGES_AT_ONCE = 32;

interface Idler extends Disposable {
  isOpen(): boolean;
  /** Says whether an exchange was answered. */
  ask(): Promise<boolean>;
}

/** Opens connections step by step, holds them, and makes one exchange on each at the end. */
export async function runIdleLoad(job: IdleJob): Promise<IdleSample> {
  const { serverPids, holdSeconds } = job;
  using stack = new DisposableStack();
  const idlers: Idler[] = [];
  await wait(SETTLE_MS);
  const before = readResidentBytes(serverPids);
  const steps: { connections: number; bytesEach: number }[] = [];
  for (const connections of job.steps) {
    const sockets = await openSockets(job, connections - idlers.length);
    idlers.push(...sockets.map((socket) => stack.use(idle(socket, job))));
    await wait(SETTLE_MS);
    const bytesEach = (readResidentBytes(serverPids) - before) / connections;
    steps.push({ connections, bytesEach });
  }
  const cpuSeconds = countCpu(serverPids);
  await wait(holdSeconds * 1000);
  const cpu = cpuSeconds() / holdSeconds;
  const lost = idlers.filter((idler) => !idler.isOpen()).length;
  return { steps, failures: lost + await countUnanswered(idlers), cpu };
}

/** Keeps reading, so that pings are answered and an end is seen. */
function idle(socket: Socket, { dialect, target }: IdleJob): Idler {
  const what = { dialect, target, bodyBytes: 0 };
  let open = true;
  let answer: ((good: boolean) => void) | undefined;
  const read = createAnswerReader(what, {
    answered: (_, failed) => answer?.(!failed),
    pinged: (pong) => void socket.write(pong).catch(end),
  });

  function end(): void {
    open = false;
    answer?.(false);
  }

  async function loop(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    read(socket.rest);
    for (;;) {
      const length = await socket.read(buffer);
      if (length === null) return;
      read(buffer.subarray(0, length));
    }
  }

  loop().catch(() => {}).finally(end);
  return {
    isOpen: () => open,
    async ask(): Promise<boolean> {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      answer = resolve;
      const timer = setTimeout(resolve, ANSWER_MS, false);
      await socket.write(createRequest(what, 0)).catch(end);
      return await promise.finally(() => clearTimeout(timer));
    },
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}

async function countUnanswered(idlers: readonly Idler[]): Promise<number> {
  const waiting = idlers.filter((idler) => idler.isOpen()).values();
  let unanswered = 0;
  await Promise.all(Array.from({ length: EXCHANGES_AT_ONCE }, async () => {
    for (const idler of waiting) if (!await idler.ask()) unanswered++;
  }));
  return unanswered;
}
