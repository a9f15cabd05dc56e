/**
 * One WebSocket to the service, and the exchanges on it.
 *
 * @module
 */
import { MAX_ID } from "../protocol/mod.ts";
import { createHeartbeat } from "./heartbeat.ts";
import type { ClientOptions } from "./options.ts";
import {
  type ConnectionLoss,
  type ExchangeConnection,
  needsNewConnection,
  type QueuedExchange,
} from "./queued_exchange.ts";
import {
  NO_LIMITS,
  parseServerMessage,
  type ServerLimits,
  type ServerMessage,
} from "./server_message.ts";
import { type ClientWebSocket, OPEN } from "./socket.ts";
import { type ClientTimers, unref } from "./timers.ts";

/** A connection, from before its WebSocket opens until it has closed. */
export interface ServiceConnection extends ExchangeConnection {
  /** Whether `hello` has arrived. */
  readonly isGreeted: boolean;
  /** Whether another exchange may begin. */
  readonly hasRoom: boolean;
  /** Begins an exchange with the next free id. */
  begin(exchange: QueuedExchange): void;
  /** Fails the exchanges and closes, without calling `closed`. Fulfils when the WebSocket has closed. */
  close(loss: ConnectionLoss): Promise<void>;
}

/** How a connection has ended. */
export interface ConnectionClosure {
  readonly code: number;
  readonly message: string;
  readonly cause?: unknown;
  /** The exchanges that were on the connection. */
  readonly lost: readonly QueuedExchange[];
}

/** How many exchanges may begin before `hello` has announced the limit. */
const EARLY_IN_FLIGHT = 16;
/** How long the server may take to close the WebSocket, in milliseconds. */
const CLOSE_TIMEOUT_MS = 2_000;
/** In the range of PROTOCOL.md after which a client may reconnect. */
const ABNORMAL = 4000;

const SILENT = "The proxy does not respond";
const BROKEN = "The connection to the proxy could not be opened or was lost";

/** Opens a {@linkcode ServiceConnection}. */
export function createServiceConnection(
  { connectTimeoutMs = 10_000, ...options }: ClientOptions,
  { open, timers, firstId = 1, ready, retired, closed }: {
    open(): Promise<ClientWebSocket>;
    readonly timers: ClientTimers;
    readonly firstId?: number | undefined;
    /** Called when exchanges may begin, or more of them. */
    ready(): void;
    /** Called when the server accepts no new exchanges on this connection. */
    retired(): void;
    closed(closure: ConnectionClosure): void;
  },
): ServiceConnection {
  // Not a Map: V8 links each table that a Map outgrows to the next. Once one of these tables is in the old
  // generation, later exchanges survive every collection except a full one, which costs more than all other work.
  let exchanges: Record<number, QueuedExchange> = {};
  let inFlight = 0;
  let lastId = firstId - 1;
  let socket: ClientWebSocket | undefined;
  let limits: ServerLimits = { ...NO_LIMITS, maxInFlight: EARLY_IN_FLIGHT };
  let isGreeted = false;
  let isRetired = false;
  let isOver = false;
  let markClosed = (): void => {};
  const socketClosed = new Promise<void>((resolve) => markClosed = resolve); // Node.js 20 has no withResolvers()
  const openTimer = unref(timers.setTimeout(() => drop(SILENT), connectTimeoutMs));
  const heartbeat = createHeartbeat(options, {
    timers,
    ping: () => send('{"type":"ping"}'),
    lost: () => drop(SILENT),
  });

  const isOpen = (): boolean => !isOver && socket?.readyState === OPEN;

  function send(message: string | Uint8Array<ArrayBuffer>): void {
    if (!isOpen()) return;
    try {
      socket?.send(message);
    } catch (cause) {
      drop(BROKEN, cause);
    }
  }

  /** Stops everything but the WebSocket. Returns the exchanges that were on the connection. */
  function finish(): readonly QueuedExchange[] {
    isOver = true;
    timers.clearTimeout(openTimer);
    heartbeat.stop();
    const lost = Object.values(exchanges);
    exchanges = {};
    inFlight = 0;
    return lost;
  }

  function closeSocket(code: number): void {
    if (socket === undefined) return markClosed();
    try {
      socket.close(code);
    } catch {
      markClosed(); // it has never opened
    }
  }

  /** Gives the connection up without waiting for the server, which may be unreachable. */
  function drop(message: string, cause?: unknown): void {
    if (isOver) return;
    const lost = finish();
    closeSocket(ABNORMAL);
    closed({ code: ABNORMAL, message, cause, lost });
  }

  function receive(message: ServerMessage): void {
    heartbeat.heard();
    if (message.type === "pong") return;
    if (message.type === "goaway") return goAway();
    if (message.type === "hello") return receiveHello(message.limits);
    const exchange = message.id === undefined ? undefined : exchanges[message.id];
    if (message.type === "error" || message.type === "invalid") {
      // Any exchange may be meant, and must not wait forever.
      if (message.id === undefined) return drop(message.error.message, message.error);
      if (message.type === "invalid") return exchange?.abort(message.error);
      if (needsNewConnection(message.error)) goAway();
      return exchange?.fail(message.error);
    }
    exchange?.receive(message);
  }

  function receiveHello(announced: ServerLimits): void {
    if (isGreeted) return;
    isGreeted = true;
    limits = announced;
    timers.clearTimeout(openTimer);
    ready();
  }

  function goAway(): void {
    if (isRetired) return;
    retired(); // first: retire() may close this connection
    retire();
  }

  /** Closes as soon as no exchange is in flight. */
  function retire(): void {
    isRetired = true;
    if (inFlight > 0 || isOver) return;
    finish();
    closeSocket(1000);
    closed({ code: 1000, message: "", lost: [] });
  }

  async function start(): Promise<void> {
    const opened = socket = await open();
    opened.addEventListener("close", ({ code = 1006, reason = "" }) => {
      markClosed();
      if (isOver) return;
      const message = `The connection to the proxy was closed (${`${code} ${reason}`.trim()})`;
      closed({ code, message, lost: finish() });
    });
    opened.addEventListener("error", () => {}); // "close" follows
    if (isOver) return closeSocket(1000);
    opened.addEventListener("open", () => isOver ? closeSocket(1000) : ready());
    opened.addEventListener("message", ({ data }) => {
      if (!isOver) receive(parseServerMessage(data));
    });
  }

  start().catch((cause) => {
    markClosed();
    drop(BROKEN, cause);
  });

  const connection: ServiceConnection = {
    get isGreeted(): boolean {
      return isGreeted;
    },
    get hasRoom(): boolean {
      return inFlight < limits.maxInFlight && !isRetired && isOpen();
    },
    get limits(): ServerLimits {
      return limits;
    },
    send,
    begin(exchange): void {
      lastId = toNextId(lastId, exchanges);
      exchanges[lastId] = exchange;
      inFlight++;
      heartbeat.start();
      exchange.begin(lastId, connection);
    },
    release(id): void {
      if (exchanges[id] === undefined) return;
      delete exchanges[id];
      if (--inFlight === 0) heartbeat.stop();
      if (isRetired) retire();
      else if (isOpen()) ready();
    },
    async close(loss): Promise<void> {
      for (const exchange of finish()) exchange.lose(loss);
      closeSocket(1000);
      const timer = unref(timers.setTimeout(markClosed, CLOSE_TIMEOUT_MS));
      await socketClosed;
      timers.clearTimeout(timer);
    },
  };
  return connection;
}

/** Returns the next id that is not in use. Ids count up, and start again at 1 after the largest one. */
export function toNextId(lastId: number, inUse: Readonly<Record<number, unknown>>): number {
  let id = lastId;
  do id = id >= MAX_ID ? 1 : id + 1; while (inUse[id] !== undefined);
  return id;
}
