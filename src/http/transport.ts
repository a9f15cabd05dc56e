/**
 * How one request reaches one server and its response comes back: the part that differs between HTTP
 * clients. No redirects, no policy.
 *
 * @module
 */
import type { HeaderPairs, HttpRequest } from "../protocol/mod.ts";

/** A request on its way; its body may come while it is made. */
export interface Hop extends Omit<HttpRequest, "body"> {
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;
}

/** A request, and where it may be sent. */
export interface TransportRequest extends Hop {
  /** The addresses that were checked, in the order to try them; absent: wherever the host is. */
  readonly addresses?: readonly string[] | undefined;
}

/** A response whose head has come and whose body has not been read. */
export interface TransportResponse {
  readonly status: number;
  readonly statusText: string;
  /** Names in lower case. */
  readonly headers: HeaderPairs;
  /** A content coding is taken off the body; the fields still tell of it. */
  readonly decoded: boolean;
  /** The length of the body in bytes, where it is known for certain; 0: there is none. */
  readonly length: number | undefined;
  /** All of the body has come: `bytes` gives it at once, and no promise. */
  readonly isHere: boolean;
  /**
   * Gives the whole body. To be called once.
   *
   * @throws {ProxyError} `http_response_body_size`, `http_response_incomplete`,
   * `http_response_content_coding`, or the signal's reason.
   */
  bytes(maxBytes: number): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Gives the body as it comes, in pieces of any size, each good until the next is asked for; nothing is
   * read ahead, and leaving early ends the request. To be called instead of `bytes`; the iteration throws
   * like it.
   */
  chunks(maxBytes: number): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Lets go of a body that nobody wants, if that is still to be done. */
  discard(): void;
}

/**
 * Makes a request and gives its response, whatever its status.
 *
 * @param signal Aborts the request and the body; its reason is what the call throws.
 * @throws {ProxyError} `sent` is `no` only when no byte of the request can have reached a server.
 */
export type Transport = (
  request: TransportRequest,
  signal: AbortSignal,
) => Promise<TransportResponse>;
