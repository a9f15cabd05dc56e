/**
 * What `fetch` threw → what happened, and whether the destination may have acted on the request.
 *
 * @module
 */
import { ProxyError } from "../../protocol/mod.ts";
import {
  badPort,
  connectTimedOut,
  handshakeFailed,
  incomplete,
  miscoded,
  notHttp,
  refused,
  terminated,
  unreachable,
  unresolved,
  unsendable,
  untrusted,
} from "../failures.ts";

interface KnownReason {
  /** Matches what the HTTP client says. */
  readonly pattern: RegExp;
  readonly toError: (cause: unknown) => ProxyError;
  /** `sent` follows from the stage that failed unless the error itself says more. */
  readonly isAnswer?: true;
}

// The first that matches is taken. The texts are those of hyper, rustls and the system's errors.
const REASONS: readonly KnownReason[] = [
  { pattern: /dns error/, toError: unresolved },
  { pattern: /invalid peer certificate/, toError: untrusted },
  {
    pattern: /tls|alert|corrupt message|peer is incompatible|peer misbehaved/i,
    toError: handshakeFailed,
  },
  { pattern: /Connection refused/, toError: refused },
  { pattern: /\(Connect\).*timed out/, toError: connectTimedOut },
  { pattern: /\(Connect\)/, toError: unreachable },
  {
    pattern: /message head is too large|invalid |parsed|unexpected message|protocol error/,
    toError: notHttp,
    isAnswer: true,
  },
];

/**
 * Returns the error of a `fetch` that was rejected.
 *
 * @param thrown What `fetch` was rejected with: a `TypeError` whose cause says the reason.
 * @param method The request's method.
 */
export function toRequestError(thrown: unknown, method: string): ProxyError {
  if (/^Fetch failed: Requests to port \d+ are blocked/.test(messageOf(thrown))) {
    return badPort(thrown);
  }
  const reason = reasonOf(thrown);
  if (reason === undefined) return toInputError(thrown);
  const known = REASONS.find(({ pattern }) => pattern.test(reason));
  const error = known === undefined ? terminated(method, thrown) : known.toError(thrown);
  if (known?.isAnswer) return error;
  // Only what failed while connecting has certainly not sent a byte.
  const sent = reason.startsWith("(Connect)") ? "no" : "maybe";
  return new ProxyError(error.code, error.message, { cause: thrown, sent, method });
}

/**
 * Returns the error of a response body that broke off.
 *
 * @param decoded Whether `fetch` was decoding the body.
 */
export function toBodyError(thrown: unknown, method: string, decoded: boolean): ProxyError {
  return decoded && messageOf(thrown) !== "error reading a body from connection"
    ? miscoded(thrown)
    : incomplete(method, thrown);
}

/** What `fetch` does not even try; its message holds the URL, which is not to be logged. */
function toInputError(thrown: unknown): ProxyError {
  if (thrown instanceof TypeError) return unsendable();
  return new ProxyError("proxy_internal_error", "The request could not be made", { cause: thrown });
}

/**
 * The part of the reason that the client cannot write: a URL holds no space, so it cannot hold this.
 * Over HTTP/2 a failure after connecting is told without it, and without the URL.
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
