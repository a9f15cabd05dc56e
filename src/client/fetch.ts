/**
 * `fetch` through the service.
 *
 * @module
 */
import { decodeBody } from "../protocol/body.ts";
import { ProxyError, type ResponseFrame } from "../protocol/mod.ts";
import { PendingExchange, type ResponseReceiver } from "./pending_exchange.ts";
import type { ExchangeQueue } from "./queued_exchange.ts";
import {
  type FetchInit,
  type FetchInput,
  type OutgoingRequest,
  toOutgoingRequest,
} from "./request.ts";
import { ResponseBody } from "./response_body.ts";
import { hasNullBody, toResponse } from "./response.ts";
import { invalidMessage, type ResponsePart } from "./server_message.ts";
import type { ClientTimers } from "./timers.ts";

/** A function like the platform's `fetch`. */
export type Fetch = (input: FetchInput, init?: FetchInit) => Promise<Response>;

/**
 * Creates a {@linkcode Fetch} whose requests go into the queue.
 *
 * @param options.windowBytes Credit in bytes that the server has at first for each response body.
 */
export function createFetch(
  queue: ExchangeQueue,
  { windowBytes, timers }: { readonly windowBytes: number; readonly timers: ClientTimers },
): Fetch {
  const mode = { stream: true, windowBytes };
  return async (input, init) => {
    const request = await toOutgoingRequest(input, init, timers);
    const { signal } = request;
    signal?.throwIfAborted();
    return await new Promise<Response>((resolve, reject) => {
      const done = (): void => signal?.removeEventListener("abort", onAbort);
      const receiver = new FetchReceiver({ request, windowBytes, resolve, reject, done });
      const exchange = new PendingExchange(request, receiver, { queue, mode });
      function onAbort(): void {
        exchange.abort(signal?.reason);
        receiver.abort(signal?.reason);
      }
      signal?.addEventListener("abort", onAbort);
      queue.submit(exchange);
    });
  };
}

/** Returns the reason with which `fetch` rejects: a `TypeError` for a failure, the reason itself for an abort. */
export function toRejection(reason: unknown): unknown {
  return reason instanceof ProxyError ? new TypeError(reason.message, { cause: reason }) : reason;
}

interface FetchCall {
  readonly request: OutgoingRequest;
  readonly windowBytes: number;
  resolve(response: Response): void;
  reject(reason: unknown): void;
  /** Called when the response was read to its end, has failed or was cancelled. */
  done(): void;
}

/** Settles one call of `fetch`, and passes on the body of its response. */
class FetchReceiver implements ResponseReceiver {
  readonly #call: FetchCall;
  #body: ResponseBody | undefined;

  constructor(call: FetchCall) {
    this.#call = call;
  }

  accept(part: ResponsePart, exchange: PendingExchange): boolean {
    if (part.type === "response" && this.#body === undefined) {
      return this.#acceptHead(part.frame, exchange);
    }
    if (part.type !== "chunk" || this.#body === undefined) throw invalidMessage();
    this.#body.push(part.payload);
    if (part.fin) this.#body.end();
    return part.fin;
  }

  fail(reason: unknown): void {
    if (this.#body === undefined) {
      this.#call.reject(toRejection(reason));
      this.#call.done();
    } else if (reason instanceof ProxyError) this.#body.fail(toRejection(reason));
    else this.#body.abort(reason);
  }

  /** Fails the body if it has not been read, even if all of it has arrived. */
  abort(reason: unknown): void {
    this.#body?.abort(reason);
  }

  #acceptHead(frame: ResponseFrame, exchange: PendingExchange): boolean {
    const { stream = false, text, json, status } = frame;
    const { request, windowBytes, resolve, done } = this.#call;
    if (json !== undefined) throw invalidMessage(); // with `stream`, servers send text or base64
    // An abort must be able to fail an unread body, which only a stream allows.
    const isFixed = !stream && request.signal === undefined;
    const completeBody = (isFixed ? text : undefined) ?? decodeBody(frame, undefined, "bad_frame");
    const isNull = hasNullBody(request.method, status) || (!stream && completeBody === null);
    if (isNull || isFixed) {
      resolve(toResponse(frame, isNull ? null : completeBody));
      done();
      if (stream) exchange.cancel(); // the body cannot be read
      return true;
    }
    const body = new ResponseBody(exchange, { windowBytes: stream ? windowBytes : Infinity, done });
    resolve(toResponse(frame, body.stream));
    this.#body = body; // after toResponse(), which throws if the head is invalid: then the call is rejected
    if (stream) return false;
    if (completeBody instanceof Uint8Array) body.push(completeBody);
    body.end();
    return true;
  }
}
