/**
 * How long a connection lasts: until it drains or its credential has expired, and its last exchange has ended.
 *
 * @module
 */
import type { Identity } from "../auth/authenticator.ts";
import { toProxyError } from "../exchange/errors.ts";
import { type CloseCode, ProxyError } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import {
  ConnectionCredential,
  type CredentialListener,
  type CredentialOptions,
  describeIdentity,
} from "./credential.ts";
import type { InFlight } from "./in_flight.ts";
import type { FrameSink } from "./outlet.ts";

/** What the lifetimes of all connections share. */
export interface LifetimeOptions extends CredentialOptions {
  readonly telemetry: Telemetry;
}

/** The parts of a connection that its lifetime uses. */
export interface LastingConnection extends FrameSink {
  /** Names the connection in the log. */
  readonly id: string;
  readonly identity: Identity | undefined;
  readonly inFlight: InFlight;
}

/** Decides when the server ends a connection. A class: every idle connection has one. */
export class Lifetime implements CredentialListener {
  readonly #connection: LastingConnection;
  readonly #options: LifetimeOptions;
  readonly #credential: ConnectionCredential;
  #isDraining = false;
  #isGraceOver = false;
  /** The code to close with after the last exchange; `undefined` while the connection goes on. */
  #closeCode: CloseCode | undefined = undefined;

  constructor(connection: LastingConnection, options: LifetimeOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#credential = new ConnectionCredential(connection.identity, options, this);
  }

  /** Returns the error of a request that arrives now; `undefined` when it may start. */
  findRefusal(): ProxyError | undefined {
    if (!this.#isDraining) return this.#credential.findRefusal();
    return new ProxyError("draining", "The server is going away; open a new connection");
  }

  /** Replaces the credential, and tells the client the outcome. */
  renew(token: string): void {
    const { id: connection } = this.#connection;
    const { telemetry } = this.#options;
    this.#credential.renew(token)
      .then(
        (identity) => this.#renewed(identity),
        (thrown) => this.#refused(toProxyError(thrown, telemetry, connection)),
      )
      .catch((error) => telemetry.emit({ type: "failed", connection, error }));
  }

  /** Announces the end: no exchange starts any more, and the connection closes once the last one in flight has ended. */
  drain(graceMs: number): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#send(this.#connection.dialect.encodeConnectionFrame({ type: "goaway", graceMs }));
    this.#closeAfterLast(1001);
  }

  /** Ends every exchange in flight with an error, after {@linkcode Lifetime.drain}. */
  endGrace(): void {
    const { inFlight, socket } = this.#connection;
    this.#isGraceOver = true;
    // The server does not wait for a client that does not read.
    if (inFlight.size === 0 || socket.isWaiting()) return socket.close(1001);
    this.#failAll(
      "draining",
      "The server is going away and has ended this exchange; open a new connection",
    );
  }

  /** To be called when an exchange has ended. */
  closeIfDone(): void {
    if (this.#closeCode === undefined || this.#connection.inFlight.size > 0) return;
    this.#closeWhenFlushed(this.#closeCode);
  }

  /** To be called when the connection has ended. */
  close(): void {
    this.#credential.close();
  }

  renewalTimeOver(): void {
    this.#closeAfterLast(this.#closeCode ?? 4501);
  }

  finishTimeOver(): void {
    this.#failAll("unauthorized", "The credential has expired; open a connection with a new one");
  }

  #closeAfterLast(code: CloseCode): void {
    this.#closeCode = code;
    this.closeIfDone();
  }

  /** Closes once the client has read everything, or at once when the grace of the drain is over. */
  #closeWhenFlushed(code: CloseCode): void {
    const { socket } = this.#connection;
    if (this.#isGraceOver) return socket.close(code);
    socket.flushed().then(() => {
      if (this.#closeCode === code) socket.close(code);
    });
  }

  /** Fails the exchanges in flight. `Exchange.fail` raises `sent` to what the stage of each exchange says. */
  #failAll(code: "draining" | "unauthorized", message: string): void {
    this.#connection.inFlight.failAll(
      new ProxyError(code, message, { sent: "no", retryable: true }),
    );
  }

  #send(text: string | undefined): void {
    this.#connection.socket.send(() => text);
  }

  #renewed(renewed: Identity | undefined): void {
    const { id: connection, identity, dialect } = this.#connection;
    if (this.#closeCode === 4501) this.#closeCode = undefined; // the renewed credential cancels the close
    this.#options.telemetry.emit({
      type: "authenticated",
      connection,
      identity: identity?.subject,
      outcome: "renewed",
    });
    const members = describeIdentity(renewed);
    this.#send(dialect.encodeConnectionFrame({ type: "authenticated", ...members }));
  }

  #refused(error: ProxyError): void {
    const { id: connection, identity, dialect, socket } = this.#connection;
    const { code, message: reason, retryable } = error;
    this.#options.telemetry.emit({
      type: "authenticated",
      connection,
      identity: identity?.subject,
      outcome: "refused",
      reason,
    });
    if (code === "unauthorized" && !retryable) return socket.close(4501);
    this.#send(dialect.encodeError(undefined, error));
  }
}
