/**
 * Translates what `fetch` throws into what happened, and whether the destination may have acted on the request.
 *
 * @module
 */
import { ProxyError, type Sent } from "../../protocol/mod.ts";
import {
  badPort,
  connectTimedOut,
  handshakeFailed,
  incomplete,
  miscoded,
  notHttp,
  refused,
  terminated,
  type ToFailure,
  unreachable,
  unresolved,
  unsendable,
  untrusted,
} from "../failures.ts";

interface KnownReason {
  /** Matches the message of the HTTP client. */
  readonly pattern: RegExp;
  readonly toFailure: ToFailure;
  /** Overrides the value that follows from the stage that failed. */
  readonly sent?: Sent;
}

// The first match applies. The texts are those of hyper, rustls and the system's errors.
const REASONS: readonly KnownReason[] = [
  { pattern: /dns error/, toFailure: unresolved },
  { pattern: /invalid peer certificate/, toFailure: untrusted },
  {
    pattern: /tls|alert|corrupt message|peer is incompatible|peer misbehaved/i,
    toFailure: handshakeFailed,
  },
  { pattern: /Connection refused/, toFailure: refused },
  { pattern: /\(Connect\).*timed out/, toFailure: connectTimedOut },
  { pattern: /\(Connect\)/, toFailure: unreachable },
  {
    pattern: /message head is too large|invalid |parsed|unexpected message|protocol error/,
    toFailure: notHttp,
    sent: "yes",
  },
];

/**
 * Returns the error of a `fetch` that was rejected.
 *
 * @param thrown What `fetch` was rejected with: a `TypeError` whose cause has the reason.
 * @param method The request's method.
 */
export function toRequestError(thrown: unknown, method: string): ProxyError {
  if (/^Fetch failed: Requests to port \d+ are blocked/.test(messageOf(thrown))) {
    return badPort({ cause: thrown });
  }
  const reason = reasonOf(thrown);
  if (reason === undefined) return toInputError(thrown);
  // Only a failure to connect is certain not to have sent a byte.
  const stageSent = reason.startsWith("(Connect)") ? "no" : "maybe";
  const known = REASONS.find(({ pattern }) => pattern.test(reason));
  const toFailure = known?.toFailure ?? terminated;
  return toFailure({ cause: thrown, sent: known?.sent ?? stageSent, method });
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

/** The error of a request that `fetch` does not even try. Its message is not kept, since it contains the URL. */
function toInputError(thrown: unknown): ProxyError {
  if (thrown instanceof TypeError) return unsendable();
  return new ProxyError("proxy_internal_error", "The request could not be made", { cause: thrown });
}

/**
 * Returns the part of the reason that the client cannot have written: it follows text that no URL can contain, since a
 * URL has no spaces. After connecting, failures over HTTP/2 have neither that text nor the URL.
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
