/**
 * A WebSocket that takes frames no faster than its client reads them. What waits is kept here and not in
 * the WebSocket's own buffer, which nothing can empty again once a client has stopped reading.
 *
 * @module
 */
import { CLOSE_CODES, type CloseCode } from "../protocol/mod.ts";

/** The part of a WebSocket that is needed here. */
export type WebSocketLike = Pick<WebSocket, "send" | "close" | "bufferedAmount" | "readyState">;

/** A message as a WebSocket takes it. */
export type Message = string | Uint8Array<ArrayBuffer>;

/** Sends frames. Nothing here throws. */
export interface FrameSocket {
  /**
   * Sends a frame, in the order of the calls. Nothing is given back when it was handed to the WebSocket at
   * once; else a promise that fulfils when it was, or never will be.
   *
   * @param isWanted Asked of a frame that waited: `false` drops it.
   */
  send(text: string, isWanted?: () => boolean): void | Promise<void>;
  /**
   * Sends a part of a stream: behind every frame of `send`, and in turn with the parts of other streams.
   *
   * @param make Gives the frame when its turn has come; `undefined`: there is none after all.
   */
  sendPart(make: () => Message | undefined): void | Promise<void>;
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
  /** Frames of `send` that may wait; one more closes with 4029 too. */
  readonly maxWaiting: number;
}

interface Waiting {
  readonly make: () => Message | undefined;
  readonly done: () => void;
}

// The buffer has no event, so it is looked at: soon while it moves, seldom once it does not.
const MAX_POLL_MS = 16;

/** Creates a {@linkcode FrameSocket}; `ended` is told when it closes the WebSocket. */
export function createFrameSocket(
  webSocket: WebSocketLike,
  { highWaterBytes, sendTimeoutMs, maxWaiting }: FrameSocketOptions,
  { ended }: { readonly ended: (code: CloseCode) => void },
): FrameSocket {
  let open = true;
  const frames: Waiting[] = [];
  const parts: Waiting[] = [];
  let flushWaiters: (() => void)[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pollMs = 0;
  let lastBuffered = 0;
  let movedAt = 0;

  const isFull = (): boolean => webSocket.bufferedAmount > highWaterBytes;
  const isQueued = (): boolean => frames.length > 0 || parts.length > 0;
  const isFlushed = (): boolean => !isQueued() && webSocket.bufferedAmount === 0;

  function handOver(message: Message | undefined): void {
    if (message !== undefined && webSocket.readyState === WebSocket.OPEN) webSocket.send(message);
  }

  /** Hands over what waits, as far as the buffer allows; says whether anything left a queue. */
  function flush(): boolean {
    let moved = false;
    while (isQueued() && !isFull()) {
      const waiting = frames.shift() ?? parts.shift();
      handOver(waiting?.make());
      waiting?.done();
      moved = true;
    }
    return moved;
  }

  function poll(): void {
    timer = undefined;
    const moved = flush() || webSocket.bufferedAmount < lastBuffered;
    lastBuffered = webSocket.bufferedAmount;
    const now = performance.now();
    if (moved) movedAt = now;
    pollMs = moved ? 0 : Math.min(pollMs * 2 + 1, MAX_POLL_MS);
    if (isFlushed()) settle();
    if (!isQueued() && flushWaiters.length === 0) return;
    if (now - movedAt > sendTimeoutMs) close(4029);
    else timer = setTimeout(poll, pollMs);
  }

  function startPolling(): void {
    if (timer !== undefined) return;
    lastBuffered = webSocket.bufferedAmount;
    movedAt = performance.now();
    pollMs = 0;
    timer = setTimeout(poll, pollMs);
  }

  function enqueue(queue: Waiting[], make: () => Message | undefined): Promise<void> {
    startPolling();
    return new Promise((done) => {
      queue.push({ make, done });
    });
  }

  function settle(): void {
    const waiters = flushWaiters;
    flushWaiters = [];
    for (const done of waiters) done();
  }

  function closed(): void {
    open = false;
    clearTimeout(timer);
    timer = undefined;
    for (const { done } of [...frames.splice(0), ...parts.splice(0)]) done();
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
      if (frames.length === 0 && !isFull()) return handOver(text);
      if (frames.length >= maxWaiting) return close(4029);
      return enqueue(frames, () => isWanted() ? text : undefined);
    },
    sendPart(make: () => Message | undefined): void | Promise<void> {
      if (!open) return;
      if (!isQueued() && !isFull()) return handOver(make());
      return enqueue(parts, make);
    },
    isWaiting: isQueued,
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
