/**
 * How things fail: the codes of error frames, the codes that close a connection, the refusals before
 * the upgrade, and the one error class that carries a code.
 *
 * @module
 */
/**
 * May the destination have acted on the request? `no`: no byte of it can have reached the destination;
 * `maybe`: it may have; `yes`: the destination answered.
 */
export type Sent = "no" | "maybe" | "yes";

interface ErrorTraits {
  readonly sent: Sent;
  /** `"idempotent"`: only when the method is (RFC 9110 §9.2.2). */
  readonly retryable: boolean | "idempotent";
}

/**
 * Every code of an error frame and what it says unless the error itself knows better. Failures towards
 * the destination carry the names of RFC 9209 §2.3.
 */
export const ERROR_CODES = {
  bad_frame: { sent: "no", retryable: false },
  bad_request: { sent: "no", retryable: false },
  unsupported_method: { sent: "no", retryable: false },
  frame_too_large: { sent: "no", retryable: false },
  request_too_large: { sent: "no", retryable: false },
  too_many_in_flight: { sent: "no", retryable: true },
  rate_limited: { sent: "no", retryable: true },
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

/** Codes with which the server closes a connection (RFC 6455 §7.4) and the reasons it gives. */
export const CLOSE_CODES = {
  1001: "Going away",
  4029: "The client does not read",
  4500: "Too many malformed frames",
  4501: "The credential is bad or has expired",
  4509: "An id was used while in flight",
} as const;

/** A code with which the server closes a connection. */
export type CloseCode = keyof typeof CLOSE_CODES;

/** Refusals over HTTP, before or instead of an upgrade: the code in the body and its status. */
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
  draining: 503,
  authentication_unavailable: 503,
} as const;

/** The code of a refusal over HTTP. */
export type HttpErrorCode = keyof typeof HTTP_ERRORS;

// RFC 9110 §9.2.2, less TRACE, which fetch refuses.
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "PUT",
  "DELETE",
]);

/** Says whether a request with this upper-case method may be repeated without further effect (RFC 9110 §9.2.2). */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT_METHODS.has(method);
}

/** What an error knows beyond its code. */
export interface ProxyErrorOptions {
  readonly cause?: unknown;
  /** Instead of the code's own. */
  readonly sent?: Sent;
  /** Instead of the code's own. */
  readonly retryable?: boolean;
  /** The request's method, which decides `retryable` for the codes that depend on it. */
  readonly method?: string;
  readonly retryAfterMs?: number;
}

/** The failure of an exchange: what goes into its error frame. */
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

/** A failure; ends the exchange `id`, or could not be tied to one. */
export interface ErrorFrame {
  readonly type: "error";
  readonly id?: number;
  /** The exchange's name in the server's log. */
  readonly requestId?: string;
  readonly code: ErrorCode;
  readonly message: string;
  /** May the same request succeed if it is sent again? */
  readonly retryable: boolean;
  /** May the upstream have acted on the request? */
  readonly sent: Sent;
  readonly retryAfterMs?: number;
}

/** Gives the error frame of a failure, tied to the exchange `id` where there is one. */
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
