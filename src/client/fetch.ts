/**
 * `fetch` over a transport.
 *
 * @module
 */
import { type DecodedResponse, ProxyError } from "../protocol/mod.ts";
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

  function acceptHead({ response, streamed }: DecodedResponse): boolean {
    const whole = response.body;
    const isNull = hasNullBody(request.method, response.status) || (!streamed && whole === null);
    const opened = isNull ? undefined : createBody({
      ...control,
      windowBytes: streamed ? windowBytes : Infinity,
      done,
    });
    resolve(toResponse(response, opened?.stream ?? null));
    body = opened; // not before: a head that cannot be one rejects
    if (isNull) done();
    if (isNull && streamed) control.cancel(); // nobody would read it
    if (!isNull && streamed) return false;
    if (whole !== null) body?.push(whole);
    body?.end();
    return true;
  }

  return {
    accept(answer): boolean {
      if (answer.type === "response" && body === undefined) return acceptHead(answer.decoded);
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
