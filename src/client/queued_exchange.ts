/**
 * The contract between an exchange, the queue in which it waits, and the connection that carries it.
 *
 * @module
 */
import type { ProxyError } from "../protocol/mod.ts";
import type { ResponsePart, ServerLimits, UploadGrant } from "./server_message.ts";

/** An exchange as its queue and its connection see it. */
export interface QueuedExchange {
  /** The exchange must not begin before `hello` has announced the limits. */
  readonly needsHello: boolean;
  /** Sends the request as exchange `id` of the connection. */
  begin(id: number, connection: ExchangeConnection): void;
  /** Handles a message of the server. */
  receive(message: ResponsePart | UploadGrant): void;
  /** Handles an error frame: fails, or goes back to the queue. */
  fail(error: ProxyError): void;
  /** Handles the loss of the connection: fails, or goes back to the queue. */
  lose(loss: ConnectionLoss): void;
  /** Fails with this reason, and tells the server to stop. */
  abort(reason: unknown): void;
}

/** A connection as its exchanges see it. */
export interface ExchangeConnection {
  /** The limits in `hello`. Before it arrives, only the number of exchanges is limited. */
  readonly limits: ServerLimits;
  /** Sends a message. Does nothing when the connection is not open. */
  send(message: string | Uint8Array<ArrayBuffer>): void;
  /** Removes an exchange that has ended or goes back to the queue. */
  release(id: number): void;
}

/** Holds exchanges until a connection has room for them. */
export interface ExchangeQueue {
  /** Appends an exchange. */
  submit(exchange: QueuedExchange): void;
  /** Prepends an exchange that has to be sent again, after a delay if the server is busy. */
  resubmit(exchange: QueuedExchange, isServerBusy: boolean): void;
  /** Removes an exchange. Does nothing if it has begun. */
  withdraw(exchange: QueuedExchange): void;
}

/** Why an exchange has lost its connection or gets none. */
export interface ConnectionLoss {
  readonly message: string;
  readonly cause?: unknown;
  /** The exchange may go back to the queue. */
  readonly maySendAgain: boolean;
  /** Another call may succeed. */
  readonly isRetryable: boolean;
}

/**
 * Returns whether the connection accepts no new exchanges while a new connection will: the server drains, or the
 * credential has expired.
 */
export function needsNewConnection({ code }: ProxyError): boolean {
  return code === "draining" || code === "unauthorized";
}
