/**
 * Failures: the codes of error frames, the codes that close a connection, the codes of refusals before the
 * upgrade, and the error class that carries a code.
 *
 * @module
 */

/**
 * Whether the destination may have acted on the request. `no`: no byte of the request can have reached the
 * destination; `maybe`: some may have; `yes`: the destination responded.
 */
export type Sent = "no" | "maybe" | "yes";

interface ErrorTraits {
  readonly sent: Sent;
  /** `"idempotent"`: `true` if the method is idempotent (RFC 9110 §9.2.2), else `false`. */
  readonly retryable: boolean | "idempotent";
}

/**
 * Every code of an error frame with its defaults, which a {@linkcode ProxyError} can override. The codes of
 * failures between the service and the destination are the names of RFC 9209 §2.3.
 */
export const ERROR_CODES = {
  bad_frame: { sent: "no", retryable: false },
  bad_request: { sent: "no", retryable: false },
  unsupported_method: { sent: "no", retryable: false },
  frame_too_large: { sent: "no", retryable: false },
  request_too_large: { sent: "no", retryable: false },
  too_many_in_flight: { sent: "no", retryable: true },
  rate_limited: { sent: "no", retryable: true },
  proxy_overloaded: { sent: "no", retryable: true },
  unauthorized: { sent: "no", retryable: false },
  forbidden: { sent: "no", retryable: false },
  unknown_upstream: { sent: "no", retryable: false },
  draining: { sent: "no", retryable: true },
  destination_ip_prohibited: { sent: "no", retryable: false },
  http_request_denied: { sent: "no", retryable: false },
  dns_error: { sent: "no", retryable: true },
  dns_timeout: { sent: "no", retryable: true },
  connection_refused: { sent: "no", retryable: true },
  connection_timeout: { sent: "no", retryable: true },
  destination_unavailable: { sent: "no", retryable: true },
  tls_protocol_error: { sent: "no", retryable: false },
  tls_certificate_error: { sent: "no", retryable: false },
  connection_terminated: { sent: "maybe", retryable: "idempotent" },
  http_response_timeout: { sent: "maybe", retryable: "idempotent" },
  http_response_incomplete: { sent: "yes", retryable: "idempotent" },
  http_response_body_size: { sent: "yes", retryable: false },
  http_response_content_coding: { sent: "yes", retryable: false },
  http_protocol_error: { sent: "yes", retryable: false },
  too_many_redirects: { sent: "yes", retryable: false },
  flow_control_error: { sent: "maybe", retryable: false },
  proxy_internal_error: { sent: "maybe", retryable: false },
} as const satisfies Record<string, ErrorTraits>;

/** A code of an error frame. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** The codes with which the server closes a connection (RFC 6455 §7.4), and their reasons. */
export const CLOSE_CODES = {
  1001: "Going away",
  1013: "The service is short of memory",
  4029: "The client does not read",
  4500: "Too many malformed or needless frames",
  4501: "The credential is bad or has expired",
  4509: "An id was used while in flight",
} as const;

/** A code with which the server closes a connection. */
export type CloseCode = keyof typeof CLOSE_CODES;

/** The codes of refusals over HTTP, before or instead of an upgrade, and their status codes. */
export const HTTP_ERRORS = {
  bad_request: 400,
  bad_handshake: 400,
  unauthorized: 401,
  origin_not_allowed: 403,
  not_found: 404,
  method_not_allowed: 405,
  upgrade_required: 426,
  too_many_connections: 429,
  rate_limited: 429,
  internal_error: 500,
  overloaded: 503,
  draining: 503,
  authentication_unavailable: 503,
} as const;

/** The code of a refusal over HTTP. */
export type HttpErrorCode = keyof typeof HTTP_ERRORS;

// RFC 9110 §9.2.2 without TRACE, which the Fetch standard forbids.
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "PUT",
  "DELETE",
]);

/** Reports whether repeating a request with this upper-case method has no further effect (RFC 9110 §9.2.2). */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT_METHODS.has(method);
}

/** What a {@linkcode ProxyError} carries beyond its code and message. */
export interface ProxyErrorOptions {
  readonly cause?: unknown;
  /** Default: that of the code in {@linkcode ERROR_CODES}. */
  readonly sent?: Sent;
  /** Default: that of the code in {@linkcode ERROR_CODES}. */
  readonly retryable?: boolean;
  /** The upper-case method of the request; decides `retryable` for the codes that depend on the method. */
  readonly method?: string;
  /** How long the client should wait before it sends the request again. */
  readonly retryAfterMs?: number;
}

/** The failure of an exchange or of a frame, with everything that its error frame says. */
export class ProxyError extends Error {
  override readonly name = "ProxyError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly sent: Sent;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: ProxyErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    const traits = ERROR_CODES[code];
    this.code = code;
    this.sent = options.sent ?? traits.sent;
    this.retryable = options.retryable ??
      (traits.retryable === "idempotent" ? isIdempotent(options.method ?? "") : traits.retryable);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Reports a failure and ends the exchange `id`. */
export interface ErrorFrame {
  readonly type: "error";
  /** Absent: the failure belongs to no exchange. */
  readonly id?: number;
  /** The name of the exchange in the server's log. */
  readonly requestId?: string;
  readonly code: ErrorCode;
  /** Says to a person what is wrong and what to do. */
  readonly message: string;
  /** Whether the same request may succeed if the client sends it again. */
  readonly retryable: boolean;
  readonly sent: Sent;
  /** How long the client should wait before it sends the request again. */
  readonly retryAfterMs?: number;
}

/** Returns the error frame of a failure; absent arguments are left out of the frame. */
export function toErrorFrame(error: ProxyError, id?: number, requestId?: string): ErrorFrame {
  return {
    type: "error",
    ...(id !== undefined && { id }),
    ...(requestId !== undefined && { requestId }),
    code: error.code,
    message: error.message,
    retryable: error.retryable,
    sent: error.sent,
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
  };
}
