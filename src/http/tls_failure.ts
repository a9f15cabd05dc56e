/**
 * Translates the errors of TLS connections into what happened. The texts are those of rustls, which both transports use.
 * A text is matched from its start: what follows may contain names that the destination has chosen.
 *
 * @module
 */
import { type ErrorCode, ProxyError } from "../protocol/mod.ts";
import { terminated } from "./failures.ts";

interface KnownText {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly message: string;
}

const NO_COMMON_VERSION = "The destination supports neither TLS 1.2 nor TLS 1.3";

// Of each group, the first match applies. An alert is what the destination says of the service's part of the handshake.
const CERTIFICATE_TEXTS: readonly KnownText[] = ([
  [/^(?:certificate expired|Expired)/, "The destination's certificate has expired; renew it there"],
  [
    /^(?:certificate not valid yet|NotValidYet)/,
    "The destination's certificate is not valid yet; check the clocks of the destination and of the service",
  ],
  [
    /^(?:certificate not valid for name|NotValidForName)/,
    "The destination's certificate is not valid for the host of the URL; use a name that it is issued for",
  ],
  [
    /^UnknownIssuer/,
    "The destination's certificate is signed by an unknown authority or by itself; make the service trust it " +
    'with DENO_CERT, or with "tls.ca" of a named upstream',
  ],
  [
    /^Other\(OtherError\(CaUsedAsEndEntity\)\)/,
    "The destination uses the certificate of an authority as its own (self-signed); issue one for a server",
  ],
  [
    /^(?:certificate does not allow extended key usage|InvalidPurpose)/,
    "The destination's certificate is not issued for servers",
  ],
  [/^/, "The destination's certificate is not valid"],
] as const).map(([pattern, message]) => ({ pattern, message, code: "tls_certificate_error" }));

const TLS_TEXTS: readonly KnownText[] = ([
  [
    /^Invalid hostname/,
    "TLS cannot be used with the host of the URL: it is no DNS name and no address",
  ],
  [/^received fatal alert: ProtocolVersion/, NO_COMMON_VERSION],
  [/^peer is incompatible: \w*(?:Tls1|TlsVersion)/, NO_COMMON_VERSION],
  [
    /^received corrupt message of type/,
    "The destination does not speak TLS on this port; check the port, or use an http: URL",
  ],
  [
    // OpenSSL sends the first of them over TLS 1.3 and HandshakeFailure over TLS 1.2; the others refuse a certificate.
    /^received fatal alert: (?:CertificateRequired|(?:Bad|Unsupported)Certificate|Certificate(?:Unknown|Expired|Revoked)|UnknownCA|AccessDenied)/,
    "The destination requires a client certificate that it trusts; " +
    'define a named upstream with "tls.cert" and "tls.key"',
  ],
  [
    /^received fatal alert: (?:HandshakeFailure|InsufficientSecurity)/,
    "The destination refused the TLS handshake: it has no cipher suite in common with the service, or requires a " +
    "client certificate, which a named upstream can have",
  ],
  [
    /^received fatal alert: UnrecognisedName/,
    "The destination does not serve the host of the URL over TLS",
  ],
  [
    /^received fatal alert: NoApplicationProtocol/,
    "The destination speaks no version of HTTP that was offered to it over TLS; " +
    'HTTP/2 needs a named upstream with "client": "fetch"',
  ],
  [
    /^(?:peer is incompatible|peer misbehaved|received fatal alert|received unexpected (?:handshake )?message: got|cannot decrypt peer's message)/,
    "The TLS connection to the destination failed",
  ],
] as const).map(([pattern, message]) => ({ pattern, message, code: "tls_protocol_error" }));

const CERTIFICATE_PREFIX = "invalid peer certificate: ";
const HANDSHAKE_ENDED = /^(?:tls handshake eof|unexpected end of file|unexpected EOF)/i;

/**
 * Returns the error of a TLS handshake that failed: nothing of the request was sent.
 *
 * @param thrown What was thrown, with the message of rustls or of the system.
 * @param text That message, where `thrown` has it within another one.
 */
export function toTlsFailure(thrown: unknown, text: string = messageOf(thrown)): ProxyError {
  const options = { cause: thrown, sent: "no" } as const;
  const known = findTlsText(text);
  if (known !== undefined) return new ProxyError(known.code, known.message, options);
  if (isEnd(thrown, text)) {
    const message = "The destination closed the connection during the TLS handshake";
    return new ProxyError("connection_terminated", message, { ...options, retryable: true });
  }
  return new ProxyError("tls_protocol_error", "No TLS connection could be made", options);
}

/**
 * Returns the error of a TLS connection that failed after its handshake and before the head of a response. With TLS 1.3
 * that is when a server refuses the client's certificate (RFC 8446 §4.4.2.4): it may have the request by then.
 *
 * @param method The request's method.
 * @param text The message of rustls or of the system, where `thrown` has it within another one.
 */
export function toLateTlsFailure(
  thrown: unknown,
  method: string,
  text: string = messageOf(thrown),
): ProxyError {
  const options = { cause: thrown, sent: "maybe", method } as const;
  const known = findTlsText(text);
  return known === undefined
    ? terminated(options)
    : new ProxyError(known.code, known.message, options);
}

function findTlsText(text: string): KnownText | undefined {
  if (!text.startsWith(CERTIFICATE_PREFIX)) {
    return TLS_TEXTS.find(({ pattern }) => pattern.test(text));
  }
  const problem = text.slice(CERTIFICATE_PREFIX.length);
  return CERTIFICATE_TEXTS.find(({ pattern }) => pattern.test(problem));
}

/** Reports whether the connection ended, closed or reset. */
function isEnd(thrown: unknown, text: string): boolean {
  return thrown instanceof Deno.errors.ConnectionReset ||
    thrown instanceof Deno.errors.ConnectionAborted ||
    thrown instanceof Deno.errors.UnexpectedEof ||
    thrown instanceof Deno.errors.BrokenPipe ||
    thrown instanceof Deno.errors.NotConnected ||
    HANDSHAKE_ENDED.test(text) ||
    /^(?:connection reset|connection aborted|broken pipe)/i.test(text);
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : "";
}
