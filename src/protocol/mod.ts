/**
 * The wsfetch.v1 protocol: frames, errors, and requests and responses as frames. Works in a browser.
 *
 * @module
 */
export { decodeChunk, encodeChunk, MAX_CHUNK_BYTES, MAX_CHUNK_MESSAGE_BYTES } from "./chunk.ts";
export type { Chunk } from "./chunk.ts";
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
  AuthenticatedFrame,
  AuthFrame,
  CancelFrame,
  ClientFrame,
  EndFrame,
  EventFrame,
  GoawayFrame,
  GrantFrame,
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
  StreamMode,
  Timing,
} from "./frames.ts";
export { decodeRequest, encodeRequest, MAX_URL_LENGTH, timeoutTooLong } from "./request.ts";
export type {
  HttpRequest,
  ProxyRequest,
  Query,
  RequestOptions,
  Target,
  UpstreamTarget,
} from "./request.ts";
export { decodeResponse, encodeResponse, encodeStreamedResponse } from "./response.ts";
export type { DecodedResponse, EncodeOptions, HttpResponse, ResponseHead } from "./response.ts";
