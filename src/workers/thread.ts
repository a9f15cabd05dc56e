/**
 * The thread of a worker, as messages.
 *
 * @module
 */
import type { FromWorker, StartMessage, ToWorker } from "./messages.ts";

/** A worker that was started. */
export interface Thread {
  post(message: ToWorker): void;
}

/** Starts a worker; it answers until it has ended, which it tells last. */
export type StartThread = (start: StartMessage, receive: (message: FromWorker) => void) => Thread;

/** A {@linkcode StartThread} whose workers may use the network, and nothing else. */
export const startThread: StartThread = (start, receive) => {
  const worker = new Worker(import.meta.resolve("./worker.ts"), {
    type: "module",
    name: `worker ${start.index}`,
    deno: { permissions: { net: "inherit" } },
  });
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => receive(data);
  worker.onerror = (event) => {
    event.preventDefault(); // or it would end the process
    receive({ type: "ended", reason: event.message });
  };
  worker.postMessage(start);
  return { post: (message) => worker.postMessage(message) };
};
