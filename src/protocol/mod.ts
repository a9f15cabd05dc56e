/**
 * The wsfetch.v1 protocol: its frames and errors, and requests, responses, chunks and bearer tokens as they
 * are sent. Runs in browsers too.
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
  HeaderFields,
  HeaderPairs,
  HelloFrame,
  Limits,
  PingFrame,
  PongFrame,
  Query,
  QueryValue,
  RedirectMode,
  RequestFrame,
  ResponseFrame,
  ServerFrame,
  StreamMode,
  Timing,
} from "./frames.ts";
export {
  BEARER_PREFIX,
  decodeBearerProtocol,
  encodeBearerProtocol,
  isBearerToken,
  MAX_TOKEN_LENGTH,
} from "./handshake.ts";
export { decodeRequest, encodeRequest, MAX_URL_LENGTH, timeoutTooLong } from "./request.ts";
export type {
  HttpRequest,
  ProxyRequest,
  RequestContent,
  RequestOptions,
  Target,
  UpstreamTarget,
} from "./request.ts";
export { decodeResponse } from "./response.ts";
export type {
  DecodedResponse,
  HttpResponse,
  ResponseHead,
  StreamedResponse,
  WholeResponse,
} from "./response.ts";
