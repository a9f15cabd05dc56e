/**
 * The members of a WebSocket that Deno keeps to itself: what its reading loop looks at, and what ends its TCP
 * connection. No other file knows them. Where a version of Deno has others, the functions here return `undefined` or
 * `false`.
 *
 * @module
 */

// The descriptions of symbols in `ext/websocket/01_websocket.js` of Deno 2.9.
const STATE = "[[readyState]]";
const LOOP = "[[eventLoop]]";
const FRAME_ARRIVED = "[[serverHandleIdleTimeout]]";
const RESOURCE = "[[rid]]";
const IDLE_SECONDS = "[[idleTimeout]]";
const IDLE_TIMER = "[[idleTimeoutTimeout]]";

// Deno sends a ping after half of this time.
const PROBE_SECONDS = 0.002;

// deno-lint-ignore ban-types -- methods that Deno does not declare
type Method = Function;

/** The loop that reads the messages of a WebSocket. A class: every idle connection has one. */
export class ReadingLoop {
  readonly #webSocket: WebSocket;
  readonly #state: symbol;
  readonly #loop: Method;

  private constructor(webSocket: WebSocket, state: symbol, loop: Method) {
    this.#webSocket = webSocket;
    this.#state = state;
    this.#loop = loop;
  }

  /**
   * Returns the loop of a WebSocket; `undefined` if this version of Deno does not have the members for it.
   *
   * @param frameArrived Is called once when the WebSocket has opened and the loop waits for a frame, and then for every
   * message and pong, before the event if there is one.
   */
  static find(webSocket: WebSocket, frameArrived: () => void): ReadingLoop | undefined {
    const state = symbolOf(webSocket, STATE);
    const loop = methodOf(LOOP);
    const restartIdleTimer = methodOf(FRAME_ARRIVED);
    if (!Reflect.has(webSocket, state)) return undefined;
    if (loop === undefined || restartIdleTimer === undefined) return undefined;
    Reflect.defineProperty(webSocket, symbolOf(WebSocket.prototype, FRAME_ARRIVED), {
      value: () => {
        restartIdleTimer.call(webSocket);
        frameArrived();
      },
    });
    return new ReadingLoop(webSocket, state, loop);
  }

  /** Shows a state, in which the WebSocket then believes to be. The loop ends when that is CLOSED. */
  show(state: number): void {
    Reflect.set(this.#webSocket, this.#state, state);
  }

  /** Starts the loop again. To be called only after it has ended: of two loops, each loses messages. */
  start(): void {
    this.#loop.call(this.#webSocket);
  }
}

/**
 * Ends the TCP connection of an open WebSocket without waiting for the client, and frees the part of an unfinished
 * message that was read. What was sent before and has not left yet is sent still, and TCP lasts until the client has
 * taken it. The messages that are read within the next milliseconds must make the loop end.
 *
 * @param ended Is called when TCP has ended. A `close` event that fires after this function has returned `true` may be
 * too early: it says that nothing is read any more.
 * @returns Whether TCP is being ended. `false` if this version of Deno does not have the members for it.
 */
export function endTcp(webSocket: WebSocket, ended: () => void): boolean {
  const closeResource = findCloseResource();
  const frameArrived = methodOf(FRAME_ARRIVED);
  const resource = symbolOf(webSocket, RESOURCE);
  const idleTimer = symbolOf(webSocket, IDLE_TIMER);
  const state = symbolOf(webSocket, STATE);
  const id: unknown = Reflect.get(webSocket, resource);
  if (closeResource === undefined || frameArrived === undefined) return false;
  if (!Reflect.has(webSocket, idleTimer) || typeof id !== "number") return false;

  // The resource is dropped when the last write has ended, and Deno does not tell when. A ping is a write after all
  // others: Deno reads the resource to send it, and sets the next idle timer when it was sent or has failed.
  let isProbing = false;
  const probing = (): void => {
    if (isProbing) return;
    isProbing = true;
    queueMicrotask(() => {
      Reflect.set(webSocket, state, WebSocket.CLOSED);
      closeResource(id);
    });
  };
  webSocket.addEventListener("close", () => {
    if (!isProbing) ended(); // the client has ended TCP, or has sent a Close frame and taken everything
  });
  if (webSocket.readyState === WebSocket.CLOSED) return true;
  Reflect.set(webSocket, symbolOf(webSocket, IDLE_SECONDS), PROBE_SECONDS);
  Reflect.set(webSocket, state, WebSocket.OPEN);
  frameArrived.call(webSocket);
  Reflect.defineProperty(webSocket, resource, {
    get: () => {
      probing();
      return id;
    },
  });
  Reflect.defineProperty(webSocket, idleTimer, {
    set: () => {
      if (isProbing) ended();
    },
  });
  return true;
}

/** Returns Deno's function that closes a resource by its id. */
function findCloseResource(): Method | undefined {
  const internal: unknown = Reflect.get(Deno, "internal");
  const internals = typeof internal === "symbol" ? Reflect.get(Deno, internal) : undefined;
  const tryClose: unknown = internals?.core?.tryClose;
  return typeof tryClose === "function" ? tryClose : undefined;
}

function methodOf(description: string): Method | undefined {
  const { prototype } = WebSocket;
  const method: unknown = Reflect.get(prototype, symbolOf(prototype, description));
  return typeof method === "function" ? method : undefined;
}

/** Returns the symbol with a description that an object has; another one, which nothing has, when there is none. */
function symbolOf(object: object, description: string): symbol {
  const symbols = Object.getOwnPropertySymbols(object);
  return symbols.find((symbol) => symbol.description === description) ?? Symbol(description);
}
