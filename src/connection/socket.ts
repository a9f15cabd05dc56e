/**
 * A WebSocket that takes frames no faster than its client reads them. What waits is kept here and not in
 * the WebSocket's own buffer, which nothing can empty again once a client has stopped reading.
 *
 * @module
 */
import { CLOSE_CODES, type CloseCode } from "../protocol/mod.ts";
import { lookLater } from "./look.ts";

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
  closing(code: CloseCode): void;
  /** Frames begin to wait, because the client does not read what was sent. */
  paused?(): void;
}

interface Waiting {
  readonly make: () => Message | undefined;
  readonly done: () => void;
}

// Behind the WebSocket's buffer is the system's, of some megabytes that nobody can look into. While other
// frames come and go, parts are paced so that they do not fill it, and the frames need not wait behind.
const PACE_MS = 250;
const PACED_BYTES_PER_TICK = 65_536;

/** Creates a {@linkcode FrameSocket}. */
export function createFrameSocket(
  webSocket: WebSocketLike,
  options: FrameSocketOptions,
  deps: FrameSocketDeps,
): FrameSocket {
  return new PacedSocket(webSocket, options, deps);
}

/** A class, as every idle connection has one: the functions of a closure would be made for each. */
class PacedSocket implements FrameSocket {
  readonly #webSocket: WebSocketLike;
  readonly #options: FrameSocketOptions;
  readonly #deps: FrameSocketDeps;
  #isOpen = true;
  #frames: Waiting[] = NONE;
  #parts: Waiting[] = NONE;
  #flushWaiters: (() => void)[] | undefined;
  #polling: { cancel(): void } | undefined;
  #looks = 0;
  #lastBuffered = 0;
  #movedAt = 0;
  #framedAt = -Infinity;
  #tickBytes = 0;

  constructor(webSocket: WebSocketLike, options: FrameSocketOptions, deps: FrameSocketDeps) {
    this.#webSocket = webSocket;
    this.#options = options;
    this.#deps = deps;
  }

  send(make: () => string | undefined, isTraffic = true): void | Promise<void> {
    if (!this.#isOpen) return;
    if (isTraffic) this.#framedAt = performance.now();
    if (this.#frames.length === 0 && !this.#isFull()) return this.#handOver(make());
    if (this.#frames.length >= this.#options.maxWaiting) return this.close(4029);
    if (this.#frames === NONE) this.#frames = [];
    return this.#enqueue(this.#frames, make);
  }

  sendPart(make: () => Message | undefined): void | Promise<void> {
    if (!this.#isOpen) return;
    if (this.isWaiting() || !this.#mayPart()) {
      if (this.#parts === NONE) this.#parts = [];
      return this.#enqueue(this.#parts, make);
    }
    const message = make();
    this.#tickBytes += message?.length ?? 0;
    this.#handOver(message);
  }

  isWaiting(): boolean {
    return this.#frames.length > 0 || this.#parts.length > 0;
  }

  flushed(): Promise<void> {
    if (!this.#isOpen || this.#isFlushed()) return Promise.resolve();
    this.#startPolling();
    return new Promise((done) => {
      (this.#flushWaiters ??= []).push(done);
    });
  }

  close(code: CloseCode): void {
    if (!this.#isOpen) return;
    this.closed();
    this.#webSocket.close(code, CLOSE_CODES[code]);
    this.#deps.closing(code);
  }

  closed(): void {
    this.#isOpen = false;
    this.#polling?.cancel();
    this.#polling = undefined;
    const waiting = [...this.#frames, ...this.#parts];
    this.#frames = NONE;
    this.#parts = NONE;
    for (const { done } of waiting) done();
    this.#settle();
  }

  #isFull(): boolean {
    return this.#webSocket.bufferedAmount > this.#options.highWaterBytes;
  }

  #isPaced(): boolean {
    return performance.now() - this.#framedAt < PACE_MS;
  }

  #mayPart(): boolean {
    return !this.#isFull() && (this.#tickBytes < PACED_BYTES_PER_TICK || !this.#isPaced());
  }

  #isFlushed(): boolean {
    return !this.isWaiting() && this.#webSocket.bufferedAmount === 0;
  }

  #handOver(message: Message | undefined): void {
    const webSocket = this.#webSocket;
    if (message !== undefined && webSocket.readyState === WebSocket.OPEN) webSocket.send(message);
  }

  /** Hands over what waits, as far as the buffer allows; says whether anything left a queue. */
  #flush(): boolean {
    let moved = false;
    while (this.#frames.length > 0 ? !this.#isFull() : this.#parts.length > 0 && this.#mayPart()) {
      const isPart = this.#frames.length === 0;
      const waiting = this.#frames.shift() ?? this.#parts.shift();
      const message = waiting?.make();
      if (isPart) this.#tickBytes += message?.length ?? 0;
      this.#handOver(message);
      waiting?.done();
      moved = true;
    }
    return moved;
  }

  #poll(): void {
    this.#polling = undefined;
    this.#tickBytes = 0;
    const { bufferedAmount } = this.#webSocket;
    const moved = this.#flush() || bufferedAmount < this.#lastBuffered;
    this.#lastBuffered = this.#webSocket.bufferedAmount;
    const now = performance.now();
    if (moved) this.#movedAt = now;
    this.#looks = moved ? 0 : this.#looks + 1;
    if (this.#isFlushed()) this.#settle();
    if (!this.isWaiting() && this.#flushWaiters === undefined) return;
    if (now - this.#movedAt > this.#options.sendTimeoutMs) this.close(4029);
    else this.#look();
  }

  #startPolling(): void {
    if (this.#polling !== undefined) return;
    this.#lastBuffered = this.#webSocket.bufferedAmount;
    this.#movedAt = performance.now();
    this.#looks = 0;
    this.#look();
  }

  #look(): void {
    this.#polling = lookLater(() => this.#poll(), this.#looks, this.#isPaced());
  }

  #enqueue(queue: Waiting[], make: () => Message | undefined): Promise<void> {
    if (!this.isWaiting() && this.#isFull()) this.#deps.paused?.();
    this.#startPolling();
    return new Promise((done) => {
      queue.push({ make, done });
    });
  }

  #settle(): void {
    const waiters = this.#flushWaiters ?? [];
    this.#flushWaiters = undefined;
    for (const done of waiters) done();
  }
}

// Of every connection that reads what it is sent; nothing is ever put into it.
const NONE: Waiting[] = [];
