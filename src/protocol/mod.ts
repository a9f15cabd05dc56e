/**
 * The wsfetch.v1 protocol: frames, errors, and requests and responses as frames. Works in a browser.
 *
 * @module
 */
export {
  CLOSE_CODES,
  ERROR_CODES,
  HTTP_ERRORS,
  isIdempotent,
  ProxyError,
  toErrorFrame,
} from "./errors.ts";
export type {
  CloseCode,
  ErrorCode,
  ErrorFrame,
  HttpErrorCode,
  ProxyErrorOptions,
  Sent,
} from "./errors.ts";
export { MAX_ID, SUBPROTOCOL } from "./frames.ts";
export type {
  CancelFrame,
  ClientFrame,
  GoawayFrame,
  HeaderPairs,
  HelloFrame,
  Limits,
  PingFrame,
  PongFrame,
  QueryValue,
  RedirectMode,
  RequestFrame,
  ResponseFrame,
  ServerFrame,
  Timing,
} from "./frames.ts";
export { decodeRequest, encodeRequest } from "./request.ts";
export type { HttpRequest, ProxyRequest, RequestOptions } from "./request.ts";
export { decodeResponse, encodeResponse } from "./response.ts";
export type { DecodedResponse, HttpResponse } from "./response.ts";
