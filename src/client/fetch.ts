/**
 * `fetch` over a transport.
 *
 * @module
 */
import { decodeBody } from "../protocol/body.ts";
import { ProxyError, type ResponseFrame } from "../protocol/mod.ts";
import { type Body, createBody } from "./body.ts";
import { createExchange } from "./exchange.ts";
import { invalid } from "./inbound.ts";
import {
  type FetchInit,
  type FetchInput,
  type OutgoingRequest,
  toOutgoingRequest,
} from "./request.ts";
import { hasNullBody, toResponse } from "./response.ts";
import type { Control, Sink } from "./sink.ts";
import type { Transport } from "./transport.ts";

/** What `fetch` needs. */
export interface FetchDeps {
  readonly transport: Transport;
  /** Credit in bytes that a response's body starts with. */
  readonly windowBytes: number;
}

/** Fetches as the platform's `fetch` does. */
export type Fetch = (input: FetchInput, init?: FetchInit) => Promise<Response>;

/** Creates a {@linkcode Fetch}. */
export function createFetch({ transport, windowBytes }: FetchDeps): Fetch {
  return async (input, init) => {
    const request = await toOutgoingRequest(input, init);
    const { signal } = request;
    signal?.throwIfAborted();
    return await new Promise<Response>((resolve, reject) => {
      const done = (): void => signal?.removeEventListener("abort", onAbort);
      const { exchange, sink } = createExchange(request, { stream: true, windowBytes }, {
        ...transport,
        createSink: (control) =>
          createResponseSink({ request, windowBytes, control, resolve, reject, done }),
      });
      function onAbort(): void {
        exchange.abort(signal?.reason);
        sink.abort(signal?.reason);
      }
      signal?.addEventListener("abort", onAbort);
      transport.submit(exchange);
    });
  };
}

/** Gives what `fetch` rejects with: a `TypeError` for a failure, else the reason of an abort. */
export function toRejection(reason: unknown): unknown {
  return reason instanceof ProxyError ? new TypeError(reason.message, { cause: reason }) : reason;
}

interface ResponseSinkOptions {
  readonly request: OutgoingRequest;
  readonly windowBytes: number;
  readonly control: Control;
  resolve(response: Response): void;
  reject(reason: unknown): void;
  /** Everything was read, or there is nothing more to read. */
  done(): void;
}

interface ResponseSink extends Sink {
  /** Fails what is not read yet, although all of it may have come. */
  abort(reason: unknown): void;
}

function createResponseSink(
  { request, windowBytes, control, resolve, reject, done }: ResponseSinkOptions,
): ResponseSink {
  let body: Body | undefined;

  function acceptHead(frame: ResponseFrame): boolean {
    const { stream = false, text, json, status } = frame;
    if (json !== undefined) throw invalid(); // not asked for
    // A signal may still fail what has come, if it is a stream.
    const isFixed = !stream && request.signal === undefined;
    const whole = (isFixed ? text : undefined) ?? decodeBody(frame, undefined, "bad_frame");
    const isNull = hasNullBody(request.method, status) || (!stream && whole === null);
    if (isNull || isFixed) {
      resolve(toResponse(frame, isNull ? null : whole));
      done();
      if (stream) control.cancel(); // nobody would read it
      return true;
    }
    const opened = createBody({ ...control, windowBytes: stream ? windowBytes : Infinity, done });
    resolve(toResponse(frame, opened.stream));
    body = opened; // not before: a head that cannot be one rejects
    if (stream) return false;
    if (whole instanceof Uint8Array) body.push(whole);
    body.end();
    return true;
  }

  return {
    accept(answer): boolean {
      if (answer.type === "response" && body === undefined) return acceptHead(answer.frame);
      if (answer.type !== "chunk" || body === undefined) {
        throw invalid();
      }
      body.push(answer.payload);
      if (answer.fin) body.end();
      return answer.fin;
    },
    fail(reason): void {
      if (body === undefined) {
        reject(toRejection(reason));
        done();
      } else if (reason instanceof ProxyError) body.fail(toRejection(reason));
      else body.abort(reason);
    },
    abort: (reason) => body?.abort(reason),
  };
}
