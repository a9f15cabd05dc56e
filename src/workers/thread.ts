/**
 * Starts the threads of workers.
 *
 * @module
 */
import type { FromWorker, StartMessage, ToWorker } from "./messages.ts";

/** A worker that was started. */
export interface Thread {
  /** Sends a message. A worker that has ended does not receive it. */
  post(message: ToWorker): void;
}

/** Starts a worker and passes on its messages, the last of which is `ended`. */
export type StartThread = (start: StartMessage, receive: (message: FromWorker) => void) => Thread;

/** Starts a worker that may use the network, and has no other permission. */
export const startThread: StartThread = (start, receive) => {
  const worker = new Worker(import.meta.resolve("./worker.ts"), {
    type: "module",
    name: `worker ${start.index}`,
    deno: { permissions: { net: "inherit" } },
  });
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => receive(data);
  worker.onerror = (event) => {
    event.preventDefault(); // an error that is not handled here would end the process
    receive({ type: "ended", reason: event.message });
  };
  worker.postMessage(start);
  return { post: (message) => worker.postMessage(message) };
};
