/**
 * Where the response of an exchange goes: the only way out of it.
 *
 * @module
 */
import type { HttpResponse, ProxyError, ResponseHead, Timing } from "../protocol/mod.ts";
import type { StreamEvent } from "./events.ts";

/**
 * Takes one response, in parts or whole. A method that returns a promise has not handed its part on yet: the caller
 * waits for it before the next call. Nothing is taken after the exchange was cancelled.
 */
export interface Outlet {
  /** Returns nothing when the client reads what it is sent, else a promise that fulfils when it does. */
  ready(): void | Promise<void>;
  /** Takes a whole response, which is also its end. */
  whole(response: HttpResponse, timing: Timing): void | Promise<void>;
  /** Takes the head of a response whose body follows. */
  head(head: ResponseHead, timing: Timing): void | Promise<void>;
  /**
   * Takes a piece of the body, of any size; `fin` with the last one. The piece may be overwritten once the call is over.
   *
   * @throws {ProxyError} `flow_control_error`, as a rejection: the client grants no credit.
   */
  bytes(bytes: Uint8Array<ArrayBuffer>, fin: boolean): void | Promise<void>;
  /** Takes an event of the body. */
  event(event: StreamEvent): void | Promise<void>;
  /** Ends a response that was delivered in events. */
  end(): void | Promise<void>;
  /** Ends the exchange with an error, at any point of the response. */
  fail(error: ProxyError): void | Promise<void>;
}
