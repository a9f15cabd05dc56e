/**
 * How long a connection lasts: until it drains or its credential has expired, and its last exchange has ended.
 *
 * @module
 */
import type { Authenticator, Identity } from "../auth/authenticator.ts";
import type { Dialect } from "../dialect/dialect.ts";
import { type CloseCode, isIdempotent, ProxyError } from "../protocol/mod.ts";
import type { AuthenticatedEvent, Telemetry } from "../telemetry/telemetry.ts";
import {
  createCredential,
  type Credential,
  type CredentialDeps,
  type CredentialOptions,
  describeIdentity,
} from "./credential.ts";
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
export function createLifetime(options: LifetimeOptions, deps: LifetimeDeps): Lifetime {
  return new ConnectionLifetime(options, deps);
}

/** A class, as every idle connection has one: the functions of a closure would be made for each. */
class ConnectionLifetime implements Lifetime, CredentialDeps {
  readonly #options: LifetimeOptions;
  readonly #deps: LifetimeDeps;
  readonly #credential: Credential;
  #isDraining = false;
  #isExpired = false;
  /** With which code the connection is to end behind its last exchange. */
  #leaving: CloseCode | undefined;

  constructor(options: LifetimeOptions, deps: LifetimeDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#credential = createCredential(options, this);
  }

  get authenticator(): Authenticator | undefined {
    return this.#deps.authenticator;
  }

  expired(): void {
    this.#retire(this.#leaving ?? 4501);
  }

  overdue(): void {
    this.#failAll("unauthorized", "The credential has expired");
  }

  findRefusal(): ProxyError | undefined {
    if (!this.#isDraining) return this.#credential.findRefusal();
    return new ProxyError("draining", "The server is going away; open a new connection");
  }

  renew(token: string): void {
    const { connection } = this.#options;
    const { telemetry } = this.#deps;
    this.#credential.renew(token)
      .then(
        (identity) => this.#renewed(identity),
        (thrown) => this.#refused(toProxyError(thrown, telemetry, connection)),
      )
      .catch((error) => telemetry.emit({ type: "failed", connection, error }));
  }

  drain(graceMs: number): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#send(this.#deps.dialect.encodeConnectionFrame({ type: "goaway", graceMs }));
    this.#retire(1001);
  }

  expire(): void {
    const { inFlight, socket } = this.#deps;
    this.#isExpired = true;
    // Nobody waits for a client that does not read.
    if (inFlight.size === 0 || socket.isWaiting()) return socket.close(1001);
    this.#failAll("draining", "The server went away before the exchange had ended");
  }

  leaveIfDone(): void {
    if (this.#leaving !== undefined && this.#deps.inFlight.size === 0) this.#leave(this.#leaving);
  }

  close(): void {
    this.#credential.close();
  }

  #retire(code: CloseCode): void {
    this.#leaving = code;
    this.leaveIfDone();
  }

  /** Closes once the client has been handed everything, or at once when the grace is over. */
  #leave(code: CloseCode): void {
    const { socket } = this.#deps;
    if (this.#isExpired) return socket.close(code);
    socket.flushed().then(() => {
      if (this.#leaving === code) socket.close(code);
    });
  }

  #failAll(code: "draining" | "unauthorized", message: string): void {
    this.#deps.inFlight.failAll(({ begin, request: { method } }) =>
      begin === undefined
        ? new ProxyError(code, message, { sent: "maybe", retryable: isIdempotent(method) })
        : new ProxyError(code, message, { sent: "no", retryable: true })
    );
  }

  #send(text: string | undefined): void {
    this.#deps.socket.send(() => text);
  }

  #renewed(identityNow: Identity | undefined): void {
    const { telemetry, dialect } = this.#deps;
    if (this.#leaving === 4501) this.#leaving = undefined; // it has come just in time
    telemetry.emit({ type: "authenticated", ...this.#who(), outcome: "renewed" });
    const who = describeIdentity(identityNow);
    this.#send(dialect.encodeConnectionFrame({ type: "authenticated", ...who }));
  }

  #refused(error: ProxyError): void {
    const { telemetry, dialect, socket } = this.#deps;
    const { code, message: reason, retryable } = error;
    telemetry.emit({ type: "authenticated", ...this.#who(), outcome: "refused", reason });
    if (code === "unauthorized" && !retryable) return socket.close(4501);
    this.#send(dialect.encodeError(undefined, error));
  }

  #who(): Pick<AuthenticatedEvent, "connection" | "identity"> {
    const { connection, identity } = this.#options;
    return { connection, identity: identity?.subject };
  }
}
