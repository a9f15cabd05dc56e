/**
 * Reads the messages of a WebSocket in turns of the event loop. Deno's own loop reads on, in microtasks, while bytes
 * have arrived: a client that sends without a pause would stop all timers and all other sockets. Where Deno's loop
 * cannot be stopped and started, it goes on as it is.
 *
 * @module
 */
import { sizeOfMessage } from "../protocol/message_size.ts";
import type { ReadingTurns, WaitingReader } from "./reading_turns.ts";
import { endTcp, ReadingLoop } from "./websocket_internals.ts";

// This takes about a millisecond: a message costs 2 to 40 µs, and 4 KiB of it cost about 25 µs more.
const FRAMES_PER_TURN = 32;
const BYTES_PER_FRAME = 4096;
// Deno reads a message that is longer than this in a step of a millisecond or more, up to 20 ms for 1 MiB. Chunks of uploads
// are shorter.
const LONG_MESSAGE_BYTES = 131_072;
// After a Close frame was sent, messages are read only to find that of the client.
const FRAMES_WHILE_CLOSING = 8;

/** Whose WebSocket is read. */
export interface TurnReaderListener {
  /** The key that limits count by. WebSockets of one key share its turns. */
  readonly key: string;
  /** Called with the number of pongs that have arrived, once there are many. */
  pongsArrived(count: number): void;
  /** Called with the size of a message that waits to be handled, and with the negative size when it no longer does. */
  messageWaits(bytes: number): void;
}

/** A message that has arrived while others were handled. */
interface WaitingMessage {
  readonly size: number;
  readonly handle: () => void;
}

/** Reads one WebSocket. A class: every idle connection has one. */
export class TurnReader implements WaitingReader {
  readonly #webSocket: WebSocket;
  readonly #listener: TurnReaderListener;
  readonly #turns: ReadingTurns;
  readonly #loop: ReadingLoop | undefined;
  #left = FRAMES_PER_TURN;
  #waitsTo: WaitingReader["waitsTo"] = "read";
  #message: WaitingMessage | undefined = undefined;
  #hasOpened = false;
  #pongs = 0;
  #hasStopped = false;
  #isClosing = false;
  #isTerminated = false;
  /** The state that the WebSocket really has, while it shows CLOSED so that the loop stops. */
  #state: number | undefined = undefined;

  constructor(webSocket: WebSocket, listener: TurnReaderListener, turns: ReadingTurns) {
    this.#webSocket = webSocket;
    this.#listener = listener;
    this.#turns = turns;
    this.#loop = ReadingLoop.find(webSocket, () => this.#count());
  }

  get key(): string {
    return this.#listener.key;
  }

  get waitsTo(): WaitingReader["waitsTo"] {
    return this.#message === undefined ? this.#waitsTo : "handle a long message";
  }

  /** The WebSocket, in its real state. */
  get webSocket(): WebSocket {
    this.#showState();
    return this.#webSocket;
  }

  /**
   * Handles a message: a long one in a later turn of the event loop if others were handled in this one. After some
   * messages, reading stops until a later turn.
   *
   * @param handle Must not throw.
   */
  take(data: string | ArrayBuffer, handle: () => void): void {
    const size = sizeOfMessage(data);
    this.#pongs--;
    this.#left -= Math.floor(size / BYTES_PER_FRAME);
    this.#waitsTo = size > LONG_MESSAGE_BYTES ? "read a long message" : "read";
    this.#showState();
    const isShort = this.#waitsTo === "read" || this.#loop === undefined;
    if (isShort || this.#isClosing) handle(); // when it closes, the message is ignored
    else if (!this.#turns.tryHandle(size, handle)) {
      this.#message = { size, handle };
      this.#countWaiting(size);
    }
    const isDone = this.#left <= 0 || this.#message !== undefined;
    if (this.#hasStopped || this.#isTerminated || isDone) this.#stop();
  }

  /**
   * Sends a Close frame. The WebSocket shows that it is open until the client's Close frame has arrived and everything
   * that was sent has left, so that its `close` event fires when TCP ends. Messages until then are to be ignored.
   */
  close(code?: number, reason?: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const { webSocket } = this;
    const isOpen = webSocket.readyState === WebSocket.OPEN;
    webSocket.close(code, reason);
    // In its state CLOSING, Deno would end TCP at the next message, so that the Close frame may be lost, and tell that
    // TCP has ended while it still waits for a client that takes nothing.
    if (isOpen) this.#loop?.show(WebSocket.OPEN);
  }

  /**
   * Ends TCP without a closing handshake. Messages that still arrive are to be ignored.
   *
   * @param ended Is called when TCP has ended. A `close` event may fire earlier.
   * @returns Whether that is possible. If not, `ended` is not called.
   */
  terminate(ended: () => void): boolean {
    this.#isClosing = this.#isTerminated = true;
    this.#takeMessage();
    return endTcp(this.webSocket, ended);
  }

  /** Reads on after a wait. */
  readOn(): void {
    const pongs = this.#pongs;
    this.#pongs = 0;
    if (pongs > 0) this.#listener.pongsArrived(pongs);
    this.#left = this.#isClosing ? FRAMES_WHILE_CLOSING : FRAMES_PER_TURN;
    this.#hasStopped = false;
    const message = this.#takeMessage();
    if (this.#isTerminated || this.#webSocket.readyState === WebSocket.CLOSED) return;
    if (message === undefined) return this.#loop?.start();
    message.handle();
    this.#stop();
  }

  #takeMessage(): WaitingMessage | undefined {
    const message = this.#message;
    this.#message = undefined;
    if (message !== undefined) this.#countWaiting(-message.size);
    return message;
  }

  #countWaiting(bytes: number): void {
    this.#turns.countWaiting(bytes);
    this.#listener.messageWaits(bytes);
  }

  #count(): void {
    if (!this.#hasOpened) {
      // The first call is for no frame: the loop waits for one and cannot be stopped. It would go on beside a second loop,
      // and of two loops, each loses messages that the other has read.
      this.#hasOpened = true;
      return;
    }
    this.#pongs++; // `take` knows better
    const mayGoOn = this.#turns.count();
    if (--this.#left <= 0 || !mayGoOn || this.#isTerminated) this.#stop();
  }

  /** Makes the loop end once the message that it has read was handled. */
  #stop(): void {
    if (this.#loop === undefined) return;
    this.#state ??= this.#webSocket.readyState;
    this.#loop.show(WebSocket.CLOSED);
    const isFirst = !this.#hasStopped;
    this.#hasStopped = true;
    queueMicrotask(() => {
      this.#showState();
      if (isFirst) this.#wait(); // only now is known whether the message waits, too
    });
  }

  #wait(): void {
    if (this.#isTerminated) return;
    if (this.#isClosing) this.#turns.pause(this);
    else this.#turns.wait(this);
  }

  #showState(): void {
    if (this.#state === undefined) return;
    this.#loop?.show(this.#state);
    this.#state = undefined;
  }
}
