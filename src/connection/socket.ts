/**
 * A WebSocket that takes frames no faster than its client reads them. What waits is kept here and not in
 * the WebSocket's own buffer, which nothing can empty again once a client has stopped reading.
 *
 * @module
 */
import { clearImmediate, setImmediate } from "node:timers";
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
   * @param make Gives the frame when it can be handed over, so that what waits is not held twice;
   * `undefined`: there is none after all.
   * @param isTraffic Whether parts make way for more like it for a while. Default `true`.
   */
  send(make: () => string | undefined, isTraffic?: boolean): void | Promise<void>;
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

/** Whom a frame socket tells. */
export interface FrameSocketDeps {
  /** It closes the WebSocket. */
  readonly ended: (code: CloseCode) => void;
  /** Frames begin to wait, because the client does not read what was sent. */
  readonly paused?: () => void;
}

interface Waiting {
  readonly make: () => Message | undefined;
  readonly done: () => void;
}

// The buffer has no event, so it is looked at: each turn of the event loop while a fast client reads, and
// more and more seldom when nothing moves.
const MAX_TURNS = 100;
const MAX_POLL_MS = 16;

// Behind the WebSocket's buffer is the system's, of some megabytes that nobody can look into. While other
// frames come and go, parts are paced so that they do not fill it, and the frames need not wait behind.
const PACE_MS = 250;
const PACED_BYTES_PER_TICK = 65_536;
const TICK_MS = 1;

/** Creates a {@linkcode FrameSocket}. */
export function createFrameSocket(
  webSocket: WebSocketLike,
  { highWaterBytes, sendTimeoutMs, maxWaiting }: FrameSocketOptions,
  { ended, paused = () => {} }: FrameSocketDeps,
): FrameSocket {
  let open = true;
  const frames: Waiting[] = [];
  const parts: Waiting[] = [];
  let flushWaiters: (() => void)[] = [];
  let polling: { cancel(): void } | undefined;
  let looks = 0;
  let lastBuffered = 0;
  let movedAt = 0;
  let framedAt = -Infinity;
  let tickBytes = 0;

  const isFull = (): boolean => webSocket.bufferedAmount > highWaterBytes;
  const isQueued = (): boolean => frames.length > 0 || parts.length > 0;
  const isPaced = (): boolean => performance.now() - framedAt < PACE_MS;
  const mayPart = (): boolean => !isFull() && (tickBytes < PACED_BYTES_PER_TICK || !isPaced());
  const isFlushed = (): boolean => !isQueued() && webSocket.bufferedAmount === 0;

  function handOver(message: Message | undefined): void {
    if (message !== undefined && webSocket.readyState === WebSocket.OPEN) webSocket.send(message);
  }

  /** Hands over what waits, as far as the buffer allows; says whether anything left a queue. */
  function flush(): boolean {
    let moved = false;
    while (frames.length > 0 ? !isFull() : parts.length > 0 && mayPart()) {
      const isPart = frames.length === 0;
      const waiting = frames.shift() ?? parts.shift();
      const message = waiting?.make();
      if (isPart) tickBytes += message?.length ?? 0;
      handOver(message);
      waiting?.done();
      moved = true;
    }
    return moved;
  }

  function poll(): void {
    polling = undefined;
    tickBytes = 0;
    const moved = flush() || webSocket.bufferedAmount < lastBuffered;
    lastBuffered = webSocket.bufferedAmount;
    const now = performance.now();
    if (moved) movedAt = now;
    looks = moved ? 0 : looks + 1;
    if (isFlushed()) settle();
    if (!isQueued() && flushWaiters.length === 0) return;
    if (now - movedAt > sendTimeoutMs) close(4029);
    else polling = lookLater(poll, looks, isPaced());
  }

  function startPolling(): void {
    if (polling !== undefined) return;
    lastBuffered = webSocket.bufferedAmount;
    movedAt = performance.now();
    looks = 0;
    polling = lookLater(poll, looks, isPaced());
  }

  function enqueue(queue: Waiting[], make: () => Message | undefined): Promise<void> {
    if (!isQueued() && isFull()) paused();
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
    polling?.cancel();
    polling = undefined;
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
    send(make: () => string | undefined, isTraffic = true): void | Promise<void> {
      if (!open) return;
      if (isTraffic) framedAt = performance.now();
      if (frames.length === 0 && !isFull()) return handOver(make());
      if (frames.length >= maxWaiting) return close(4029);
      return enqueue(frames, make);
    },
    sendPart(make: () => Message | undefined): void | Promise<void> {
      if (!open) return;
      if (isQueued() || !mayPart()) return enqueue(parts, make);
      const message = make();
      tickBytes += message?.length ?? 0;
      handOver(message);
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

/** Calls back after a number of looks that saw nothing move. */
function lookLater(look: () => void, looks: number, paced: boolean): { cancel(): void } {
  if (looks < MAX_TURNS && !paced) {
    const immediate = setImmediate(look);
    return { cancel: () => clearImmediate(immediate) };
  }
  const timer = setTimeout(look, Math.max(TICK_MS, Math.min(looks - MAX_TURNS, MAX_POLL_MS)));
  return { cancel: () => clearTimeout(timer) };
}
