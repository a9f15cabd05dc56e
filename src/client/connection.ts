/**
 * One WebSocket and the exchanges that are on it.
 *
 * @module
 */
import type { Exchange } from "./exchange.ts";
import { createHeartbeat, type HeartbeatOptions } from "./heartbeat.ts";
import { isFarewell } from "./farewell.ts";
import { createIds } from "./ids.ts";
import { type ClientLimits, type Inbound, NO_LIMITS, parseInbound } from "./inbound.ts";
import type { Closure, Loss } from "./loss.ts";
import { OPEN, type WebSocketLike } from "./socket.ts";
import { type Timers, unref } from "./timers.ts";

/** How a connection is kept. */
export interface ConnectionOptions extends HeartbeatOptions {
  /** Milliseconds that a connection may take to open and to greet. Default 10,000. */
  readonly connectTimeoutMs?: number;
}

/** What a connection needs, and whom it tells. */
export interface ConnectionDeps {
  open(): Promise<WebSocketLike>;
  readonly timers: Timers;
  /** The id of the first exchange. Default 1. */
  readonly firstId?: number | undefined;
  /** There is room for exchanges, or more of it. */
  ready(): void;
  /** The server goes away: no new exchanges. */
  retired(): void;
  closed(closure: Closure<Exchange>): void;
}

/** A connection, from before it opens until it has closed. */
export interface Connection {
  /** `hello` has come. */
  readonly isGreeted: boolean;
  /** An exchange may begin now. */
  readonly hasRoom: boolean;
  begin(exchange: Exchange): void;
  /** Closes and fails its exchanges, without `closed`. Fulfils when it has closed. */
  close(loss: Loss): Promise<void>;
}

/** Before `hello` has told the limit, so many exchanges begin. */
const EARLY_IN_FLIGHT = 16;
/** How long the server may take to close, in milliseconds. */
const CLOSE_TIMEOUT_MS = 2_000;
/** Reconnection is welcome, in the range of PROTOCOL.md. */
const ABNORMAL = 4000;

const SILENT = "The proxy does not answer";
const BROKEN = "The connection to the proxy could not be opened, or broke";

/** Opens a {@linkcode Connection}. */
export function createConnection(
  { connectTimeoutMs = 10_000, ...options }: ConnectionOptions,
  { open, timers, firstId, ready, retired, closed }: ConnectionDeps,
): Connection {
  // No Map: V8 links each table that a Map outgrows to the next one. Once one of them has become old, whatever
  // was in flight later outlives every collection but a full one, and that costs more than all the rest.
  let exchanges: Record<number, Exchange> = {};
  let inFlight = 0;
  const nextId = createIds(firstId);
  const heartbeat = createHeartbeat(options, {
    timers,
    ping: () => send('{"type":"ping"}'),
    died: () => drop(SILENT),
  });
  const opening = unref(
    timers.setTimeout(() => drop(SILENT), connectTimeoutMs),
  );
  let socket: WebSocketLike | undefined;
  let limits: ClientLimits = { ...NO_LIMITS, maxInFlight: EARLY_IN_FLIGHT };
  let isGreeted = false;
  let isRetired = false;
  let isOver = false;
  let gone = (): void => {};
  const isGone = new Promise<void>((resolve) => gone = resolve);

  const isOpen = (): boolean => !isOver && socket?.readyState === OPEN;

  function send(message: string | Uint8Array<ArrayBuffer>): void {
    if (!isOpen()) return;
    try {
      socket?.send(message);
    } catch (cause) {
      drop(BROKEN, cause);
    }
  }

  /** Ends the connection as far as anybody else can tell; gives what was on it. */
  function finish(): readonly Exchange[] {
    isOver = true;
    timers.clearTimeout(opening);
    heartbeat.stop();
    const lost = Object.values(exchanges);
    exchanges = {};
    inFlight = 0;
    return lost;
  }

  function leave(code: number): void {
    if (socket === undefined) return gone();
    try {
      socket.close(code);
    } catch {
      gone(); // it never opened
    }
  }

  /** Does not wait for a peer that may be dead. */
  function drop(message: string, cause?: unknown): void {
    if (isOver) return;
    const lost = finish();
    leave(ABNORMAL);
    closed({ code: ABNORMAL, message, cause, lost });
  }

  function receive(message: Inbound): void {
    heartbeat.heard();
    if (message.type === "pong") return;
    if (message.type === "goaway") return goAway();
    if (message.type === "hello") {
      if (isGreeted) return;
      isGreeted = true;
      limits = message.limits;
      timers.clearTimeout(opening);
      return ready();
    }
    const exchange = message.id === undefined ? undefined : exchanges[message.id];
    if (message.type === "error" || message.type === "invalid") {
      // Whose it is cannot be known: that one must not wait for ever.
      if (message.id === undefined) return drop(message.error.message, message.error);
      if (message.type === "invalid") return exchange?.abort(message.error);
      if (isFarewell(message.error)) goAway();
      return exchange?.fail(message.error);
    }
    exchange?.receive(message);
  }

  function goAway(): void {
    if (isRetired) return;
    retired(); // before this one may be closed
    retire();
  }

  function retire(): void {
    isRetired = true;
    if (inFlight > 0 || isOver) return;
    finish();
    leave(1000);
    closed({ code: 1000, message: "", lost: [] });
  }

  function release(id: number): void {
    if (exchanges[id] === undefined) return;
    delete exchanges[id];
    if (--inFlight === 0) heartbeat.stop();
    if (isRetired) retire();
    else if (isOpen()) ready();
  }

  async function start(): Promise<void> {
    const it = await open();
    socket = it;
    it.addEventListener("close", ({ code = 1006, reason = "" }) => {
      gone();
      if (isOver) return;
      const message = `The connection to the proxy was closed (${`${code} ${reason}`.trim()})`;
      closed({ code, message, lost: finish() });
    });
    it.addEventListener("error", () => {}); // "close" follows
    if (isOver) return leave(1000);
    it.addEventListener("open", () => isOver ? leave(1000) : ready());
    it.addEventListener("message", ({ data }) => {
      if (!isOver) receive(parseInbound(data));
    });
  }

  start().catch((cause) => {
    gone();
    drop(BROKEN, cause);
  });

  return {
    get isGreeted(): boolean {
      return isGreeted;
    },
    get hasRoom(): boolean {
      return inFlight < limits.maxInFlight && !isRetired && isOpen();
    },
    begin(exchange): void {
      const id = nextId(exchanges);
      exchanges[id] = exchange;
      inFlight++;
      heartbeat.start();
      exchange.begin({ id, limits, send, release: () => release(id) });
    },
    async close(loss): Promise<void> {
      for (const exchange of finish()) exchange.lose(loss);
      leave(1000);
      const timer = unref(timers.setTimeout(gone, CLOSE_TIMEOUT_MS));
      await isGone;
      timers.clearTimeout(timer);
    },
  };
}
