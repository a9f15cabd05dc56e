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
  /** `false`: the content codings of the response are to be left as they are. Default: `true`. */
  readonly decode?: boolean | undefined;
}

/** A request to one server at known addresses. */
export interface TransportRequest extends HopRequest {
  /** The addresses that were checked, in the order to try them; absent when the transport looks the host up. */
  readonly addresses?: readonly string[] | undefined;
  /** How to connect to a named upstream. Requests with different objects share no connection. */
  readonly route?: UpstreamRoute | undefined;
  /** The identity that the request is made for: while a host has few connections left, no identity takes all of them. */
  readonly identity?: string | undefined;
  /**
   * Names on whose behalf the request is made. A connection that a request has authenticated (NTLM, Negotiate: RFC 4559)
   * is used again for the same owner only.
   */
  readonly owner?: string | undefined;
  /**
   * Asked before the transport itself sends the request once more, because the server may have closed an idle connection
   * before the request arrived. Absent: it may.
   */
  readonly mayRepeat?: (() => boolean) | undefined;
  /** Told how far the request has come; a transport that cannot tell calls nothing. */
  readonly observer?: TransportObserver | undefined;
}

/** How to connect to a named upstream. Its name is looked up by the transport: the operator has chosen it. */
export interface UpstreamRoute {
  /** Requests are made by the platform's `fetch`; absent: as the service is set up. */
  readonly client?: "fetch" | undefined;
  readonly tls?: UpstreamTls | undefined;
}

/** What TLS connections to a named upstream trust and present; all in PEM. */
export interface UpstreamTls {
  /** Certificates of authorities that are trusted in addition to the service's own. */
  readonly ca?: string | undefined;
  /** The client certificate, with its chain; `key` is its private key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Told how far a request has come. */
export interface TransportObserver {
  /** The request waits for a connection: nothing has been sent. */
  connecting(): void;
  /** The request is about to be sent. The times are `undefined` when an idle connection is used. */
  sending(times: ConnectTimes | undefined): void;
}

/** How long it took until a request had a connection. */
export interface ConnectTimes {
  /** Milliseconds until TCP was connected, or until another request's connection was free. */
  readonly connectMs: number;
  /** Milliseconds of the TLS handshake; `undefined` when there was none for this request. */
  readonly tlsMs: number | undefined;
}

/** A response whose head has arrived and whose body has not been read. */
export interface TransportResponse {
  readonly status: number;
  readonly statusText: string;
  /** Names in lower case. */
  readonly headers: HeaderPairs;
  /** Whether the transport has decoded all content codings of the body; the fields name them all the same. */
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
