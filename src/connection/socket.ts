/**
 * Sends frames over a WebSocket no faster than the client reads them. Frames wait here and not in the WebSocket's own
 * buffer, from which nothing can be dropped once a client has stopped reading.
 *
 * @module
 */
import { abortable } from "@std/async/abortable";
import type { Cancel, Clock } from "../clock.ts";
import type { MemoryAccount } from "../limits/memory_account.ts";
import { CLOSE_CODES, type CloseCode } from "../protocol/mod.ts";

/** A message as a WebSocket takes it. */
export type SocketMessage = string | Uint8Array<ArrayBuffer>;

/** The members of a WebSocket that the server uses. */
export interface ServerWebSocket {
  readonly bufferedAmount: number;
  readonly readyState: number;
  send(message: SocketMessage): void;
  close(code: number, reason: string): void;
  /** Ends TCP at once, even inside a message of the client. */
  terminate(): void;
}

/** Limits of a frame socket. */
export interface FrameSocketOptions {
  /** While more than this is buffered, frames wait. */
  readonly highWaterBytes: number;
  /** A client that reads nothing for this long while frames wait is closed with 4029. In milliseconds. */
  readonly sendTimeoutMs: number;
  /** The most frames of `send` that may wait. One more closes with 4029 too. */
  readonly maxWaiting: number;
  readonly clock: Clock;
}

/** Is called when a frame socket acts by itself. */
export interface FrameSocketListener {
  /** Where the bytes are counted that wait in the WebSocket's buffer. */
  readonly memory: { readonly account: MemoryAccount };
  /** The socket closes the WebSocket. */
  closing(code: CloseCode): void;
  /** Frames start to wait, because the client does not read what was sent. */
  paused(): void;
}

interface WaitingFrame {
  readonly make: () => SocketMessage | undefined;
  readonly done: () => void;
}

// After the WebSocket's buffer comes that of the system, of some megabytes, whose state is unknown. While other frames
// are sent, parts are paced so that they do not fill it and delay the frames.
const PACE_MS = 250;
const PACED_BYTES_PER_TICK = 65_536;

// No event tells that the buffer was emptied. It is polled in each turn of the event loop at first, for clients that
// read fast, and less and less often when nothing moves.
const MAX_POLLED_TURNS = 100;
const MAX_POLL_MS = 16;
const TICK_MS = 1;

// Fewer bytes in the WebSocket's buffer are not counted.
const COUNTED_BYTES = 32_768;

// Shared by all sockets on which nothing waits; the array stays empty.
const NONE: WaitingFrame[] = [];
const FREE: Promise<void> = Promise.resolve();

/** Sends frames. No method throws. A class: every idle connection has one. */
export class FrameSocket {
  readonly #webSocket: ServerWebSocket;
  readonly #options: FrameSocketOptions;
  readonly #listener: FrameSocketListener;
  #isOpen = true;
  #frames: WaitingFrame[] = NONE;
  #parts: WaitingFrame[] = NONE;
  #flushWaiters: (() => void)[] | undefined = undefined;
  #polling: Cancel | undefined = undefined;
  #idlePolls = 0;
  #lastBuffered = 0;
  #movedAt = 0;
  #framedAt = -Infinity;
  #tickBytes = 0;
  /** Fulfils when the last long frame has been sent. */
  #line: Promise<void> = FREE;

  constructor(
    webSocket: ServerWebSocket,
    options: FrameSocketOptions,
    listener: FrameSocketListener,
  ) {
    this.#webSocket = webSocket;
    this.#options = options;
    this.#listener = listener;
  }

  /**
   * Sends a frame, in the order of the calls. Returns nothing when the frame was handed to the WebSocket at once; else
   * a promise that fulfils when it was, or was dropped.
   *
   * @param make Returns the frame; called when it can be handed over, so that a frame that waits is not held twice.
   * Returns `undefined` when there is nothing to send any more.
   * @param isTraffic Whether parts are paced for a while, for more frames like this one. Default `true`.
   */
  send(make: () => string | undefined, isTraffic = true): void | Promise<void> {
    if (!this.#isOpen) return;
    if (isTraffic) this.#framedAt = this.#options.clock.now();
    if (this.#frames.length === 0 && !this.#isFull()) return this.#handOver(make());
    if (this.#frames.length >= this.#options.maxWaiting) return this.close(4029);
    if (this.#frames === NONE) this.#frames = [];
    return this.#enqueue(this.#frames, make);
  }

  /**
   * Sends a part of a stream: after every frame of `send`, and in turn with the parts of other streams.
   *
   * @param make Returns the part; called when its turn has come. Returns `undefined` when there is nothing to send any
   * more.
   */
  sendPart(make: () => SocketMessage | undefined): void | Promise<void> {
    if (!this.#isOpen) return;
    if (this.isWaiting() || !this.#mayPart()) {
      if (this.#parts === NONE) this.#parts = [];
      return this.#enqueue(this.#parts, make);
    }
    const message = make();
    this.#tickBytes += message?.length ?? 0;
    this.#handOver(message);
  }

  /** Returns how many bytes of the WebSocket's buffer count as kept. */
  readBuffered(): number {
    const { bufferedAmount } = this.#webSocket;
    return bufferedAmount > COUNTED_BYTES ? bufferedAmount : 0;
  }

  /**
   * Waits in the line of long frames, each of which is made when those before it were sent.
   *
   * @throws The signal's reason, as a rejection.
   */
  async enterLine(signal: AbortSignal): Promise<Disposable> {
    const before = this.#line;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#line = promise;
    try {
      await abortable(before, signal);
    } catch (reason) {
      before.then(resolve);
      throw reason;
    }
    return { [Symbol.dispose]: resolve };
  }

  /** Reports whether frames wait. */
  isWaiting(): boolean {
    return this.#frames.length > 0 || this.#parts.length > 0;
  }

  /** Fulfils when nothing waits and the WebSocket's own buffer is empty, or the socket has closed. */
  flushed(): Promise<void> {
    if (!this.#isOpen || this.#isFlushed()) return Promise.resolve();
    this.#startPolling();
    return new Promise((done) => {
      (this.#flushWaiters ??= []).push(done);
    });
  }

  /** Closes with the code and its reason, and drops what waits. */
  close(code: CloseCode): void {
    if (!this.#isOpen) return;
    this.closed();
    this.#webSocket.close(code, CLOSE_CODES[code]);
    this.#listener.closing(code);
  }

  /** Closes with the code, and ends TCP without waiting for the client. */
  terminate(code: CloseCode): void {
    if (!this.#isOpen) return;
    this.close(code);
    this.#webSocket.terminate();
  }

  /** To be called when the WebSocket has closed: drops what waits. */
  closed(): void {
    this.#isOpen = false;
    this.#polling?.();
    this.#polling = undefined;
    const waiting = [...this.#frames, ...this.#parts];
    this.#frames = NONE;
    this.#parts = NONE;
    for (const { done } of waiting) done();
    this.#settle();
  }

  #isFull(): boolean {
    return this.#countBuffered() > this.#options.highWaterBytes;
  }

  /** Returns how many bytes the WebSocket's buffer has, and counts them as kept if they are many. */
  #countBuffered(): number {
    const { bufferedAmount } = this.#webSocket;
    if (bufferedAmount > COUNTED_BYTES) this.#listener.memory.account.setBuffered(bufferedAmount);
    return bufferedAmount;
  }

  #isPaced(): boolean {
    return this.#options.clock.now() - this.#framedAt < PACE_MS;
  }

  #mayPart(): boolean {
    return !this.#isFull() && (this.#tickBytes < PACED_BYTES_PER_TICK || !this.#isPaced());
  }

  #isFlushed(): boolean {
    return !this.isWaiting() && this.#webSocket.bufferedAmount === 0;
  }

  #handOver(message: SocketMessage | undefined): void {
    const webSocket = this.#webSocket;
    if (message === undefined || webSocket.readyState !== WebSocket.OPEN) return;
    webSocket.send(message);
    if (message.length > COUNTED_BYTES) this.#countBuffered();
  }

  /** Hands over the frames that wait, as far as the buffer allows. Reports whether any left a queue. */
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
    const now = this.#options.clock.now();
    if (moved) this.#movedAt = now;
    this.#idlePolls = moved ? 0 : this.#idlePolls + 1;
    if (this.#isFlushed()) this.#settle();
    if (!this.isWaiting() && this.#flushWaiters === undefined) return;
    if (now - this.#movedAt > this.#options.sendTimeoutMs) this.close(4029);
    else this.#pollLater();
  }

  #startPolling(): void {
    if (this.#polling !== undefined) return;
    this.#lastBuffered = this.#webSocket.bufferedAmount;
    this.#movedAt = this.#options.clock.now();
    this.#idlePolls = 0;
    this.#pollLater();
  }

  #pollLater(): void {
    const { clock } = this.#options;
    const poll = (): void => this.#poll();
    if (this.#idlePolls < MAX_POLLED_TURNS && !this.#isPaced()) {
      this.#polling = clock.soon(poll);
      return;
    }
    const delayMs = Math.min(this.#idlePolls - MAX_POLLED_TURNS, MAX_POLL_MS);
    this.#polling = clock.after(Math.max(TICK_MS, delayMs), poll);
  }

  #enqueue(queue: WaitingFrame[], make: () => SocketMessage | undefined): Promise<void> {
    if (!this.isWaiting() && this.#isFull()) this.#listener.paused();
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
