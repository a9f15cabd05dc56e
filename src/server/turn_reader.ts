/**
 * Reads the messages of a WebSocket in turns of the event loop. Deno's own loop reads on, in microtasks, while bytes
 * have arrived: a client that sends without a pause would stop all timers and all other sockets. Deno has no way to
 * pause that loop. This stops and starts it through members of a WebSocket that Deno keeps to itself; where they are
 * missing, Deno's loop goes on as it is.
 *
 * @module
 */
import type { Cancel, Clock } from "../clock.ts";
import { sizeOfMessage } from "../protocol/message_size.ts";

// The descriptions of symbols in `ext/websocket/01_websocket.js` of Deno 2.9.
const STATE = "[[readyState]]";
const LOOP = "[[eventLoop]]";
const FRAME_ARRIVED = "[[serverHandleIdleTimeout]]";

// A turn takes about a millisecond: a message costs 2 to 40 µs, and more if it is long.
const FRAMES_PER_TURN = 32;
const BYTES_PER_FRAME = 16_384;
// Deno ends TCP at the first message that it reads after `close()`. By then, the client should have the Close frame.
const LINGER_MS = 100;

// deno-lint-ignore ban-types -- methods that Deno does not declare
type Method = Function;

interface Internals {
  readonly state: symbol;
  /** Deno's loop: reads until the state is CLOSED. */
  readonly loop: Method;
  /** Deno calls it for every message and pong, before the event if there is one. */
  readonly frameArrived: Method;
}

/** Is told of frames that have no event. */
export interface PongListener {
  /** Called with the number of pongs that have arrived, once there are many. */
  pongsArrived(count: number): void;
}

/** Reads one WebSocket. A class: every idle connection has one. */
export class TurnReader {
  readonly #webSocket: WebSocket;
  readonly #listener: PongListener;
  readonly #clock: Clock;
  readonly #internals: Internals | undefined;
  #left = FRAMES_PER_TURN;
  #pongs = -1; // Deno calls `frameArrived` once when the WebSocket opens
  #hasStopped = false;
  #isClosing = false;
  #isHeld = false;
  /** The state that the WebSocket really has, while it shows CLOSED so that the loop stops. */
  #state: number | undefined = undefined;
  #cancel: Cancel | undefined = undefined;

  constructor(webSocket: WebSocket, listener: PongListener, clock: Clock) {
    this.#webSocket = webSocket;
    this.#listener = listener;
    this.#clock = clock;
    this.#internals = findInternals(webSocket);
    if (this.#internals === undefined) return;
    const { frameArrived } = this.#internals;
    Reflect.defineProperty(webSocket, symbolOf(WebSocket.prototype, FRAME_ARRIVED), {
      value: () => {
        frameArrived.call(webSocket);
        this.#count();
      },
    });
  }

  /** The WebSocket, in its real state. */
  get webSocket(): WebSocket {
    this.#showState();
    return this.#webSocket;
  }

  /** Handles a message. After some of them, reading stops until the next turn of the event loop. */
  take(data: string | ArrayBuffer, handle: () => void): void {
    this.#pongs--;
    this.#left -= Math.floor(sizeOfMessage(data) / BYTES_PER_FRAME);
    this.#showState();
    handle();
    if (this.#hasStopped || this.#isHeld || this.#left <= 0) this.#stop();
  }

  /** Closes the WebSocket in the next turn. Messages that follow are not read until the client can have the Close frame. */
  close(code?: number, reason?: string): void {
    if (this.#isClosing) return;
    this.#isClosing = this.#isHeld = true;
    this.#cancel?.();
    // Not at once: the loop may hold another message already, at which Deno would end TCP without a Close frame.
    this.#cancel = this.#clock.soon(() => {
      this.webSocket.close(code, reason);
      this.#cancel = this.#clock.after(LINGER_MS, () => {
        this.#isHeld = false;
        this.#readOn();
      });
    });
  }

  /** To be called when the WebSocket has ended. */
  ended(): void {
    this.#cancel?.();
  }

  #count(): void {
    this.#pongs++; // `take` knows better
    if (--this.#left <= 0 || this.#isHeld) this.#stop();
  }

  /** Makes the loop end once the message that it has read was handled. */
  #stop(): void {
    if (this.#internals === undefined) return;
    this.#state ??= this.#webSocket.readyState;
    Reflect.set(this.#webSocket, this.#internals.state, WebSocket.CLOSED);
    queueMicrotask(() => this.#showState());
    if (this.#hasStopped) return;
    this.#hasStopped = true;
    if (!this.#isHeld) this.#cancel = this.#clock.soon(() => this.#nextTurn());
  }

  #showState(): void {
    if (this.#state === undefined || this.#internals === undefined) return;
    Reflect.set(this.#webSocket, this.#internals.state, this.#state);
    this.#state = undefined;
  }

  #nextTurn(): void {
    const pongs = this.#pongs;
    this.#pongs = 0;
    if (pongs > 0) this.#listener.pongsArrived(pongs);
    if (!this.#isHeld) this.#readOn();
  }

  #readOn(): void {
    this.#left = FRAMES_PER_TURN;
    if (!this.#hasStopped) return;
    this.#hasStopped = false;
    if (this.#webSocket.readyState !== WebSocket.CLOSED) {
      this.#internals?.loop.call(this.#webSocket);
    }
  }
}

function findInternals(webSocket: WebSocket): Internals | undefined {
  const state = symbolOf(webSocket, STATE);
  const loop: unknown = Reflect.get(webSocket, symbolOf(WebSocket.prototype, LOOP));
  const frameArrived: unknown = Reflect.get(
    webSocket,
    symbolOf(WebSocket.prototype, FRAME_ARRIVED),
  );
  if (!Reflect.has(webSocket, state)) return undefined;
  if (typeof loop !== "function" || typeof frameArrived !== "function") return undefined;
  return { state, loop, frameArrived };
}

/** Returns the symbol with a description that an object has; another one, which nothing has, when there is none. */
function symbolOf(object: object, description: string): symbol {
  const symbols = Object.getOwnPropertySymbols(object);
  return symbols.find((symbol) => symbol.description === description) ?? Symbol(description);
}
