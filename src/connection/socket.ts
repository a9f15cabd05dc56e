/**
 * A WebSocket that takes frames no faster than its client reads them. What waits is kept here and not in
 * the WebSocket's own buffer, which nothing can empty again once a client has stopped reading.
 *
 * @module
 */
import { CLOSE_CODES, type CloseCode } from "../protocol/mod.ts";

/** The part of a WebSocket that is needed here. */
export type WebSocketLike = Pick<WebSocket, "send" | "close" | "bufferedAmount" | "readyState">;

/** Sends frames. Nothing here throws. */
export interface FrameSocket {
  /**
   * Sends a frame, in the order of the calls. Nothing is given back when it was handed to the WebSocket at
   * once; else a promise that fulfils when it was, or never will be.
   *
   * @param isWanted Asked of a frame that waited: `false` drops it.
   */
  send(text: string, isWanted?: () => boolean): void | Promise<void>;
  /** Says whether frames wait. */
  isWaiting(): boolean;
  /** Fulfils when nothing waits any more and the WebSocket's own buffer is empty, or the socket has closed. */
  flushed(): Promise<void>;
  /** Closes with the code and its reason, and drops what waits. */
  close(code: CloseCode): void;
  /** To be called when the WebSocket has closed: drops what waits. */
  closed(): void;
}

/** How a frame socket works. */
export interface FrameSocketOptions {
  /** While more is buffered than this, frames wait. */
  readonly highWaterBytes: number;
  /** A client that reads nothing for so long, while frames wait, is closed with 4029. */
  readonly sendTimeoutMs: number;
  /** Frames that may wait; one more closes with 4029 too. */
  readonly maxWaiting: number;
  /** Milliseconds between two looks at the buffer, which has no event. Default 10. */
  readonly pollMs?: number;
}

interface Waiting {
  readonly text: string;
  readonly isWanted: () => boolean;
  readonly done: () => void;
}

/** Creates a {@linkcode FrameSocket}; `ended` is told when it closes the WebSocket. */
export function createFrameSocket(
  webSocket: WebSocketLike,
  { highWaterBytes, sendTimeoutMs, maxWaiting, pollMs = 10 }: FrameSocketOptions,
  { ended }: { readonly ended: (code: CloseCode) => void },
): FrameSocket {
  let open = true;
  let queue: Waiting[] = [];
  let flushWaiters: (() => void)[] = [];
  let timer: ReturnType<typeof setInterval> | undefined;
  let lastBuffered = 0;
  let movedAt = 0;

  function handOver(text: string): void {
    if (webSocket.readyState === WebSocket.OPEN) webSocket.send(text);
  }

  /** Hands over what waits, as far as the buffer allows; says how many frames left the queue. */
  function flush(): number {
    let count = 0;
    for (const { text, isWanted, done } of queue) {
      if (webSocket.bufferedAmount > highWaterBytes) break;
      if (isWanted()) handOver(text);
      count++;
      done();
    }
    queue = queue.slice(count);
    return count;
  }

  function poll(): void {
    const moved = flush() > 0 || webSocket.bufferedAmount < lastBuffered;
    lastBuffered = webSocket.bufferedAmount;
    if (moved) movedAt = performance.now();
    if (isFlushed()) settle();
    if (queue.length === 0 && flushWaiters.length === 0) stopPolling();
    else if (performance.now() - movedAt > sendTimeoutMs) close(4029);
  }

  function isFlushed(): boolean {
    return queue.length === 0 && webSocket.bufferedAmount === 0;
  }

  function settle(): void {
    const waiters = flushWaiters;
    flushWaiters = [];
    for (const done of waiters) done();
  }

  function startPolling(): void {
    if (timer !== undefined) return;
    lastBuffered = webSocket.bufferedAmount;
    movedAt = performance.now();
    timer = setInterval(poll, pollMs);
  }

  function stopPolling(): void {
    clearInterval(timer);
    timer = undefined;
  }

  function closed(): void {
    open = false;
    stopPolling();
    const dropped = queue;
    queue = [];
    for (const { done } of dropped) done();
    settle();
  }

  function close(code: CloseCode): void {
    if (!open) return;
    closed();
    webSocket.close(code, CLOSE_CODES[code]);
    ended(code);
  }

  return {
    send(text: string, isWanted = () => true): void | Promise<void> {
      if (!open) return;
      if (queue.length === 0 && webSocket.bufferedAmount <= highWaterBytes) return handOver(text);
      if (queue.length >= maxWaiting) return close(4029);
      startPolling();
      return new Promise((done) => {
        queue.push({ text, isWanted, done });
      });
    },
    isWaiting: () => queue.length > 0,
    flushed(): Promise<void> {
      if (!open || isFlushed()) return Promise.resolve();
      startPolling();
      return new Promise((done) => {
        flushWaiters.push(done);
      });
    },
    close,
    closed,
  };
}
