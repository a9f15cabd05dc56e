/**
 * What to do about each failure of an exchange, a connection or a handshake.
 *
 * @module
 */
import type { CloseCode, ErrorCode, HttpErrorCode, Sent } from "../protocol/mod.ts";

/** What to do about each code of an error frame. */
export const ERROR_HELP: Readonly<Record<ErrorCode, string>> = {
  bad_frame:
    "The frame does not follow the protocol. If this page created it, that is a bug: copy the frame from the log and report it.",
  bad_request: "The message names the missing or invalid field. Correct it and send again.",
  unsupported_method:
    "Use a method from the list in the message. The operator sets the list with ALLOW_METHODS.",
  frame_too_large:
    "Make the body smaller, or send it as a file, which is sent in chunks. The operator can raise MAX_FRAME_BYTES.",
  request_too_large:
    "Send less, or send the body as a file, which is sent in chunks. The operator can raise MAX_REQUEST_BYTES.",
  too_many_in_flight:
    "Wait until some exchanges have ended, then send again. The Connection tab shows the limit; the operator sets it with MAX_IN_FLIGHT or LIMIT_IN_FLIGHT.",
  rate_limited:
    "Wait as long as the error says, then send again. The operator sets the limits with LIMIT_REQUESTS_PER_SECOND and LIMIT_BYTES_PER_MINUTE.",
  proxy_overloaded:
    "The service keeps too much in memory for its clients. Wait a moment and send the request again.",
  unauthorized:
    "The credential has expired. Click the connection state at the top of the page and enter a new token.",
  forbidden:
    "Your identity may not use this upstream. The operator can add it to the identities of the upstream.",
  unknown_upstream:
    "Choose a name from the list of upstreams. The operator defines them in UPSTREAMS.",
  draining: "The service is shutting down. Send again: the page connects to another instance.",
  destination_ip_prohibited:
    "The host has an address that the service refuses, usually a private one. If the address is intended, the operator can list the host in ALLOW_HOSTS.",
  http_request_denied:
    "This URL, port, method or path is not allowed; the message says which. The operator can allow it in ALLOW_HOSTS, ALLOW_PORTS or the definition of the upstream.",
  dns_error:
    "Check the spelling of the host. If it is correct, its name servers failed or do not know it; try again later.",
  dns_timeout: "The name servers of the host took too long. Try again.",
  connection_refused:
    "No server listens on this port. Check the port, and whether the server is running.",
  connection_timeout:
    "No connection was made in time: the host did not respond, or all connections to it were in use. Check the host and its firewall, or try again. The operator sets CONNECT_TIMEOUT_MS and HOST_CONNECTIONS.",
  destination_unavailable:
    "The destination cannot be reached, or was paused after repeated failures. Wait as long as the error says, then send again.",
  tls_protocol_error:
    "The TLS handshake failed; the message says why: no TLS on this port, no version in common, or a client certificate is needed, which the operator can give to a named upstream.",
  tls_certificate_error:
    "The message says what is wrong with the certificate of the destination. It must be fixed there; the operator can make the service trust an authority of your own.",
  connection_terminated:
    "The connection was lost before a response arrived. Send again if the method is idempotent. Otherwise find out first whether the request took effect.",
  http_response_timeout:
    "The response took longer than the timeout. Raise the timeout or request less. Find out whether the request took effect before you repeat one that changes something.",
  http_response_incomplete:
    "The destination closed the connection during the body, or its chunks are not valid, so that the body is incomplete. Send again if the method is idempotent.",
  http_response_body_size:
    "The body is larger than the service allows in one frame. Choose a response in chunks, or request less. The operator can raise MAX_RESPONSE_BYTES.",
  http_response_content_coding:
    'The body does not match its content-encoding. Send the frame with "decode": false to get the bytes as they came.',
  http_protocol_error:
    "The response is not valid HTTP, or its head is too long; the message says what is wrong. Check the port, which may speak another protocol.",
  too_many_redirects: "Choose “Show redirects” to see where each redirect leads.",
  flow_control_error:
    "More of the body was sent than the service had granted credit for. If this page sent it, that is a bug: report it with the frame log.",
  proxy_internal_error:
    "This is a bug in the service. Give the operator the time and the request id, so that they can find it in the log.",
};

/** What each value of `sent` means. */
export const SENT_HELP: Readonly<Record<Sent, string>> = {
  no: "Nothing reached the destination",
  maybe: "The destination may have acted on it",
  yes: "The destination has responded",
};

/** What to do about each code that closes a connection. */
export const CLOSE_HELP: Readonly<Record<CloseCode, string>> = {
  1001: "The service is shutting down. The page reconnects by itself.",
  1013: "The service is short of memory. The page reconnects by itself.",
  4029: "This page read too slowly. The page reconnects by itself; request less at a time.",
  4500:
    "The service received too many frames that are invalid or have no effect. This is a bug of this page: report it with the frame log.",
  4501: "The credential is invalid or has expired. Enter a new token.",
  4509:
    "An id was used twice at the same time. This is a bug of this page: report it with the frame log.",
};

/** What to do about each refusal of a handshake. `{origin}` stands for the origin of the page. */
export const REFUSAL_HELP: Readonly<Record<HttpErrorCode, string>> = {
  bad_request: "A proxy in front of the service sends an invalid Host header.",
  bad_handshake: "The token has an invalid form. Check that you copied all of it and nothing else.",
  unauthorized:
    "Enter a token that the service accepts. The operator lists tokens in AUTH_TOKENS, or the keys that sign them in JWT_JWKS_URL or JWT_SECRET.",
  origin_not_allowed:
    "The service does not allow connections from this origin. The operator can start it with ALLOWED_ORIGINS={origin}",
  not_found:
    "This console is newer than the service, or a proxy in front of the service does not forward /ws and /console/.",
  method_not_allowed:
    "A proxy in front of the service changes requests. It must forward /ws and /console/ unchanged.",
  upgrade_required:
    "A proxy in front of the service does not forward WebSockets. It must forward the headers Upgrade and Connection.",
  too_many_connections:
    "The service has reached its maximum number of connections. The page reconnects by itself; the operator can raise MAX_CONNECTIONS.",
  rate_limited:
    "You have reached your maximum number of connections. Close other pages; the operator sets the limit with LIMIT_CONNECTIONS.",
  internal_error: "This is a bug in the service; its log has details.",
  overloaded: "The service is short of memory. The page reconnects by itself.",
  draining: "The service is shutting down. The page reconnects by itself.",
  authentication_unavailable:
    "The service cannot check credentials at the moment. The page reconnects by itself.",
};

/** Refusals that would be repeated for the same handshake, so that the page does not reconnect. */
export const FINAL_REFUSALS: ReadonlySet<string> = new Set(
  [
    "bad_handshake",
    "unauthorized",
    "origin_not_allowed",
  ] satisfies HttpErrorCode[],
);

/** Returns the help for a code; `undefined` if the table does not contain the code. */
export function findHelp(
  table: Readonly<Record<string, string>>,
  code: string | number,
): string | undefined {
  return Object.hasOwn(table, code) ? table[code] : undefined;
}
