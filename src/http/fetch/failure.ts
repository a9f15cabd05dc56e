/**
 * Translates what `fetch` throws into what happened, and whether the destination may have acted on the request. Errors are
 * told by the stage in which they happen, connecting or after it, and then by their text.
 *
 * @module
 */
import { ProxyError } from "../../protocol/mod.ts";
import {
  badPort,
  connectTimedOut,
  incomplete,
  miscoded,
  notHttp,
  proxyRefused,
  proxyUnauthorized,
  proxyUnreachable,
  refused,
  unreachable,
  unreachableUnchecked,
  unresolved,
  unsendable,
} from "../failures.ts";
import { withSentOf } from "../sent.ts";
import { toLateTlsFailure, toTlsFailure } from "../tls_failure.ts";

/** The properties of a `fetch` that decide what its failure means. */
export interface FetchAttempt {
  readonly method: string;
  /** Whether the URL is `https:`. */
  readonly isTls: boolean;
  readonly isProxied: boolean;
  /** Whether the addresses of the host were checked, but are looked up again. */
  readonly isUnchecked: boolean;
  /** Whether `fetch` may have sent the request over an idle connection before it connected anew. */
  readonly mayBeRepeated: boolean;
}

const CONNECT = "(Connect): ";
const STAGE = /^\(\w+\): (?:connection error: )?/;
const NOT_HTTP = /message head is too large|invalid |parsed|unexpected message|protocol error/;

/**
 * Returns the error of a `fetch` that was rejected.
 *
 * @param thrown What `fetch` was rejected with: a `TypeError` whose cause has the reason.
 */
export function toRequestError(thrown: unknown, attempt: FetchAttempt): ProxyError {
  if (/^Fetch failed: Requests to port \d+ are blocked/.test(messageOf(thrown))) {
    return badPort({ cause: thrown });
  }
  const { method, mayBeRepeated } = attempt;
  const reason = reasonOf(thrown);
  if (reason === undefined) return toInputError(thrown);
  if (!reason.startsWith(CONNECT)) return toLateError(thrown, method, reason.replace(STAGE, ""));
  const error = toConnectError(thrown, attempt, reason.slice(CONNECT.length));
  return mayBeRepeated ? withSentOf("maybe", error, method) : error;
}

/**
 * Returns the error of a response body that broke off.
 *
 * @param decoded Whether `fetch` was decoding the body.
 */
export function toBodyError(thrown: unknown, method: string, decoded: boolean): ProxyError {
  return decoded && messageOf(thrown) !== "error reading a body from connection"
    ? miscoded({ cause: thrown })
    : incomplete({ cause: thrown, method });
}

/** The error of a connection that was not made: nothing of the request was sent over it. */
function toConnectError(thrown: unknown, attempt: FetchAttempt, text: string): ProxyError {
  const { isTls, isProxied, isUnchecked } = attempt;
  const options = { cause: thrown };
  if (isProxied) return toProxyError(thrown, attempt, text);
  if (isUnchecked) return unreachableUnchecked(options);
  if (text.startsWith("dns error")) return unresolved(options);
  if (!text.startsWith("tcp ")) return isTls ? toTlsFailure(thrown, text) : unreachable(options);
  if (text.includes("Connection refused")) return refused(options);
  return text.includes("timed out") ? connectTimedOut(options) : unreachable(options);
}

/** The error of a connection through a proxy. Until the proxy has connected to the destination, all errors are its own. */
function toProxyError(
  thrown: unknown,
  { isTls, isUnchecked }: FetchAttempt,
  text: string,
): ProxyError {
  const options = { cause: thrown };
  if (!isTls || /^(?:tcp |dns error|Proxy server unreachable)/.test(text)) {
    return proxyUnreachable(options);
  }
  if (text.startsWith("proxy auth")) return proxyUnauthorized(options);
  if (isUnchecked) return unreachableUnchecked(options);
  const error = toTlsFailure(thrown, text);
  const isOfTls = error.code === "tls_certificate_error" || /^(?:received|peer) /.test(text);
  return isOfTls ? error : proxyRefused(options);
}

/** The error of a request that may have been sent. */
function toLateError(thrown: unknown, method: string, text: string): ProxyError {
  const error = toLateTlsFailure(thrown, method, text);
  const isHttp = error.code === "connection_terminated" && !NOT_HTTP.test(text);
  return isHttp || error.code === "tls_protocol_error" ? error : notHttp({ cause: thrown });
}

/** The error of a request that `fetch` does not even try. Its message is not kept, since it contains the URL. */
function toInputError(thrown: unknown): ProxyError {
  if (thrown instanceof TypeError) return unsendable();
  return new ProxyError("proxy_internal_error", "The request could not be made", { cause: thrown });
}

/**
 * Returns the part of the reason that the client cannot have written: it follows text that no URL can contain, since a
 * URL has no spaces. After connecting, failures of TLS and over HTTP/2 have neither that text nor the URL.
 */
function reasonOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof TypeError) || thrown.cause === undefined) return undefined;
  const message = messageOf(thrown.cause);
  const start = message.indexOf("client error (");
  return start < 0 ? message : message.slice(start + "client error ".length);
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : "";
}
