/**
 * How long a connection lasts: until it drains or its credential has expired, and its last exchange has ended.
 *
 * @module
 */
import type { Authenticator, Identity } from "../auth/authenticator.ts";
import type { Dialect } from "../dialect/dialect.ts";
import { type CloseCode, isIdempotent, ProxyError } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createCredential, type CredentialOptions, describeIdentity } from "./credential.ts";
import type { InFlight } from "./in_flight.ts";
import { toProxyError } from "./run.ts";
import type { FrameSocket } from "./socket.ts";

/** The end of a connection, as far as the server has a say in it. */
export interface Lifetime {
  /** The error of a request that comes now; `undefined`: it may begin. */
  findRefusal(): ProxyError | undefined;
  /** Puts another credential in place of the one before, and tells the client. */
  renew(token: string): void;
  /** Announces the end: takes no new exchange, and closes when the last one in flight has ended. */
  drain(graceMs: number): void;
  /** Ends every exchange in flight with an error, after {@linkcode Lifetime.drain}. */
  expire(): void;
  /** To be called when an exchange has ended. */
  leaveIfDone(): void;
  /** To be called when the connection has ended. */
  close(): void;
}

/** What a lifetime goes by. */
export interface LifetimeOptions extends CredentialOptions {
  /** Names the connection in the log. */
  readonly connection: string;
}

/** What a lifetime works with. */
export interface LifetimeDeps {
  /** `undefined`: nobody is authenticated here. */
  readonly authenticator: Authenticator | undefined;
  readonly dialect: Dialect;
  readonly socket: FrameSocket;
  readonly inFlight: InFlight;
  readonly telemetry: Telemetry;
}

/** Creates the {@linkcode Lifetime} of a connection. */
export function createLifetime(
  options: LifetimeOptions,
  { authenticator, dialect, socket, inFlight, telemetry }: LifetimeDeps,
): Lifetime {
  const { connection } = options;
  const identity = options.identity?.subject;
  let draining = false;
  let expired = false;
  /** With which code the connection is to end behind its last exchange. */
  let leaving: CloseCode | undefined;
  const credential = createCredential(options, {
    authenticator,
    expired: () => retire(leaving ?? 4501),
    overdue: () => failAll("unauthorized", "The credential has expired"),
  });

  function retire(code: CloseCode): void {
    leaving = code;
    leaveIfDone();
  }

  function leaveIfDone(): void {
    if (leaving !== undefined && inFlight.size === 0) leave(leaving);
  }

  /** Closes once the client has been handed everything, or at once when the grace is over. */
  function leave(code: CloseCode): void {
    if (expired) return socket.close(code);
    socket.flushed().then(() => {
      if (leaving === code) socket.close(code);
    });
  }

  function failAll(code: "draining" | "unauthorized", message: string): void {
    inFlight.failAll(({ request: { method } }) =>
      new ProxyError(code, message, { sent: "maybe", retryable: isIdempotent(method) })
    );
  }

  function send(text: string | undefined): void {
    socket.send(() => text);
  }

  function renewed(identityNow: Identity | undefined): void {
    if (leaving === 4501) leaving = undefined; // it has come just in time
    telemetry.authenticated({ connection, identity, outcome: "renewed" });
    const who = describeIdentity(identityNow);
    send(dialect.encodeConnectionFrame({ type: "authenticated", ...who }));
  }

  function refused(error: ProxyError): void {
    const { code, message: reason, retryable } = error;
    telemetry.authenticated({ connection, identity, outcome: "refused", reason });
    if (code === "unauthorized" && !retryable) return socket.close(4501);
    send(dialect.encodeError(undefined, error));
  }

  return {
    findRefusal(): ProxyError | undefined {
      if (!draining) return credential.findRefusal();
      return new ProxyError("draining", "The server is going away; open a new connection");
    },
    renew(token): void {
      credential.renew(token)
        .then(renewed, (thrown) => refused(toProxyError(thrown, telemetry, connection)))
        .catch((error) => telemetry.failed({ connection, error }));
    },
    drain(graceMs): void {
      if (draining) return;
      draining = true;
      send(dialect.encodeConnectionFrame({ type: "goaway", graceMs }));
      retire(1001);
    },
    expire(): void {
      expired = true;
      // Nobody waits for a client that does not read.
      if (inFlight.size === 0 || socket.isWaiting()) return socket.close(1001);
      failAll("draining", "The server went away before the exchange had ended");
    },
    leaveIfDone,
    close: credential.close,
  };
}
