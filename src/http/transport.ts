/**
 * Makes one request to one server: the part that differs between HTTP clients. Transports follow no redirects and
 * apply no policy.
 *
 * @module
 */
import type { HeaderPairs } from "../protocol/mod.ts";
import type { Body, Bytes } from "./body.ts";

/** A request to one server. */
export interface HopRequest {
  /** In upper case. */
  readonly method: string;
  readonly url: URL;
  readonly headers: HeaderPairs;
  /** A stream may still be arriving while the request is made. */
  readonly body: Bytes | ReadableStream<Bytes> | null;
}

/** A request to one server at known addresses. */
export interface TransportRequest extends HopRequest {
  /** The addresses that were checked, in the order to try them; absent when the transport looks the host up. */
  readonly addresses?: readonly string[] | undefined;
}

/** A response whose head has arrived and whose body has not been read. */
export interface TransportResponse {
  readonly status: number;
  readonly statusText: string;
  /** Names in lower case. */
  readonly headers: HeaderPairs;
  /** Whether the transport decodes the content coding of the body; the fields name the coding all the same. */
  readonly decoded: boolean;
  readonly body: Body;
}

/**
 * Makes a request and returns its response, whatever the status.
 *
 * @param signal Aborts the request and its body; its reason is then thrown.
 * @throws {ProxyError} `sent` is `no` only when no byte of the request can have reached a server.
 */
export type Transport = (
  request: TransportRequest,
  signal: AbortSignal,
) => Promise<TransportResponse>;
