/**
 * What to do about each failure: of an exchange, of a connection, of a handshake.
 *
 * @module
 */
import type { CloseCode, ErrorCode, HttpErrorCode, Sent } from "../protocol/mod.ts";

/** What to do about each code of an error frame. */
export const ERROR_HELP: Readonly<Record<ErrorCode, string>> = {
  bad_frame:
    "The frame is not one of the protocol. If this page made it, that is a bug: copy it from the frame log and report it.",
  bad_request: "The message names the field that is missing or wrong. Correct it and send again.",
  unsupported_method:
    "Use a method from the list in the message. The operator sets the list with ALLOW_METHODS.",
  frame_too_large:
    "Make the body smaller or send it as a file, which goes in chunks. The operator can raise MAX_FRAME_BYTES.",
  request_too_large:
    "Send less, or send the body as a file, which goes in chunks. The operator can raise MAX_REQUEST_BYTES.",
  too_many_in_flight:
    "Wait until some of the exchanges have ended, then send again. The limit is in the Connection tab; the operator sets it with MAX_IN_FLIGHT or LIMIT_IN_FLIGHT.",
  rate_limited:
    "Wait as long as the error says, then send again. The operator sets the limits with LIMIT_REQUESTS_PER_SECOND and LIMIT_BYTES_PER_MINUTE.",
  unauthorized:
    "The credential has expired. Enter a new token under the connection's state, at the top of the page.",
  forbidden:
    "This upstream is not for your identity. Ask the operator to list you under its identities.",
  unknown_upstream:
    "Choose a name from the list of upstreams. The operator defines them in UPSTREAMS.",
  draining:
    "The service is being replaced. Send again: the page connects to the next instance by itself.",
  destination_ip_prohibited:
    "The host has an address that the service does not connect to, in most cases a private one. If that is meant to be, the operator can list the host in ALLOW_HOSTS.",
  http_request_denied:
    "This URL, port, method or path is not allowed here; the message says which. The operator can allow it in ALLOW_HOSTS, ALLOW_PORTS or the upstream's definition.",
  dns_error:
    "Check the spelling of the host. If it is right, its name servers did not know it or did not answer; try again later.",
  dns_timeout: "The host's name servers took too long. Try again.",
  connection_refused:
    "Nothing listens on this port of the host. Check the port, and that the server runs.",
  connection_timeout: "The host did not answer. Check the host and its firewall, or try again.",
  destination_unavailable:
    "The destination cannot be reached, or has kept failing so that it is left alone for a while. Wait as long as the error says, then send again.",
  tls_protocol_error:
    "The server and the service found no common way to encrypt. Check that the port speaks TLS, and which versions.",
  tls_certificate_error:
    "The server's certificate has expired, is for another name, or comes from an authority that is not trusted. It has to be mended at the server.",
  connection_terminated:
    "The connection broke before an answer came. If the method is idempotent, send again; if not, find out first whether the request was acted on.",
  http_response_timeout:
    "The answer took longer than the timeout. Raise the timeout, or ask for less. Find out whether the request was acted on before you repeat one that changes something.",
  http_response_incomplete:
    "The server broke off inside the body: what you see is not all of it. Send again if the method is idempotent.",
  http_response_body_size:
    "The body is larger than the service passes on in one frame. Let the answer come in chunks, or ask for less. The operator can raise MAX_RESPONSE_BYTES.",
  http_response_content_coding:
    "The body is not in the coding that the server says. Send the header accept-encoding: identity to get it as it is.",
  http_protocol_error:
    "What the server sent is not HTTP, or its head is too long. Check the port: it may speak another protocol.",
  too_many_redirects: "Set redirects to manual to see where each one leads.",
  flow_control_error:
    "More of the body was sent than the service gave credit for. If this page sent it, that is a bug: report it with the frame log.",
  proxy_internal_error:
    "A bug in the service; its log says more. Give the operator the time and the request id.",
};

/** What it means that the request was sent, or not. */
export const SENT_HELP: Readonly<Record<Sent, string>> = {
  no: "Nothing reached the destination",
  maybe: "The destination may have acted on it",
  yes: "The destination has answered",
};

/** What to do about each code that closes a connection. */
export const CLOSE_HELP: Readonly<Record<CloseCode, string>> = {
  1001: "The service went away. The page connects again by itself.",
  4029: "This page read too slowly. It connects again by itself; let less come at a time.",
  4500:
    "Too many frames made no sense to the service. This is a bug of this page: report it with the frame log.",
  4501: "The credential is bad or has expired. Enter a new token.",
  4509: "An id was used twice. This is a bug of this page: report it with the frame log.",
};

/** What to do about each refusal of a handshake. `{origin}` stands for that of this page. */
export const REFUSAL_HELP: Readonly<Record<HttpErrorCode, string>> = {
  bad_request: "A proxy in front of the service changes the Host header into what is none.",
  bad_handshake:
    "The token has a form that no credential has. Check that all of it was copied, and nothing else.",
  unauthorized:
    "Enter a token that the service accepts. The operator names accepted ones in AUTH_TOKENS, or who signs them in JWT_JWKS_URL or JWT_SECRET.",
  origin_not_allowed:
    "The service does not take this page for its own. The operator can start it with ALLOWED_ORIGINS={origin}",
  not_found:
    "The console is newer than the service, or a proxy in front of it hides paths. Pass on /ws and /console/.",
  method_not_allowed:
    "A proxy in front of the service changes requests. Pass on /ws and /console/ as they are.",
  upgrade_required:
    "A proxy in front of the service does not pass WebSockets on. Let it pass the headers Upgrade and Connection.",
  too_many_connections:
    "The service is full. The page tries again by itself; the operator can raise MAX_CONNECTIONS.",
  rate_limited:
    "You have as many connections as you may. Close other pages; the operator sets the limit with LIMIT_CONNECTIONS.",
  internal_error: "A bug in the service; its log says more.",
  draining: "The service is going away. The page tries again by itself.",
  authentication_unavailable:
    "The service cannot check credentials now. The page tries again by itself.",
};

/** Refusals that the same handshake would meet again: there is no use in trying. */
export const FINAL_REFUSALS: ReadonlySet<string> = new Set(
  [
    "bad_handshake",
    "unauthorized",
    "origin_not_allowed",
  ] satisfies HttpErrorCode[],
);

/** Gives what to do about a code, if it is in a table. */
export function findHelp(
  table: Readonly<Record<string, string>>,
  code: string | number,
): string | undefined {
  return Object.hasOwn(table, code) ? table[code] : undefined;
}
