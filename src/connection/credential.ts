/**
 * The credential of a connection: how long it is valid, and how another replaces it.
 *
 * @module
 */
import type { Authenticator, Identity } from "../auth/authenticator.ts";
import type { Cancel, Clock } from "../clock.ts";
import { ProxyError } from "../protocol/mod.ts";

/** How long credentials and what was started with them may last. */
export interface CredentialOptions {
  /** Checks the credentials in `auth` frames; `undefined` when clients are not authenticated. */
  readonly authenticator: Authenticator | undefined;
  /** How long an expired credential may be renewed, in milliseconds. */
  readonly authGraceMs: number;
  /** After that, how long exchanges in flight may take to finish, in milliseconds. */
  readonly finishMs: number;
  readonly clock: Clock;
}

/** Is called when a credential was not renewed in time. */
export interface CredentialListener {
  /** The grace is over: the connection is to close once its exchanges have ended. */
  renewalTimeOver(): void;
  /** The exchanges have taken too long as well. */
  finishTimeOver(): void;
}

/** The credential of a connection. A class: every idle connection has one. */
export class ConnectionCredential {
  readonly #identity: Identity | undefined;
  readonly #options: CredentialOptions;
  readonly #listener: CredentialListener;
  #expiresAt: number | undefined;
  #cancel: Cancel | undefined = undefined;
  #isRenewing = false;
  #isClosed = false;

  /** @param identity The authenticated identity; `undefined` when clients are not authenticated, and nothing expires. */
  constructor(
    identity: Identity | undefined,
    options: CredentialOptions,
    listener: CredentialListener,
  ) {
    this.#identity = identity;
    this.#options = options;
    this.#listener = listener;
    this.#expiresAt = identity?.expiresAt;
    this.#watch();
  }

  /** Returns the error of a request that arrives now; `undefined` while the credential is valid. */
  findRefusal(): ProxyError | undefined {
    if (this.#expiresAt === undefined) return undefined;
    if (this.#options.clock.epochMs() < this.#expiresAt) return undefined;
    return new ProxyError(
      "unauthorized",
      'The credential has expired; send another in an "auth" frame, or open a connection with it',
    );
  }

  /**
   * Replaces the credential by another of the same identity.
   *
   * @throws {ProxyError} `unauthorized`; retryable only when the credential could not be checked now.
   */
  async renew(token: string): Promise<Identity | undefined> {
    if (this.#isRenewing) {
      const message = "A credential is being checked already; wait for the response";
      throw new ProxyError("unauthorized", message, { retryable: true });
    }
    this.#isRenewing = true;
    try {
      const renewed = await this.#check(token);
      this.#expiresAt = renewed?.expiresAt;
      this.#watch();
      return renewed;
    } finally {
      this.#isRenewing = false;
    }
  }

  /** To be called when the connection has ended. */
  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  #watch(): void {
    this.#cancel?.();
    if (this.#expiresAt === undefined || this.#isClosed) return;
    const { authGraceMs, finishMs } = this.#options;
    const end = this.#expiresAt + authGraceMs;
    this.#at(end, () => {
      this.#listener.renewalTimeOver();
      if (!this.#isClosed) this.#at(end + finishMs, () => this.#listener.finishTimeOver());
    });
  }

  #at(epochMs: number, action: () => void): void {
    const { clock } = this.#options;
    this.#cancel = clock.after(epochMs - clock.epochMs(), action);
  }

  async #check(token: string): Promise<Identity | undefined> {
    const renewed = await this.#options.authenticator?.authenticate(token);
    if (renewed?.subject === this.#identity?.subject) return renewed;
    throw new ProxyError(
      "unauthorized",
      "The credential is of another identity; open a connection with it",
    );
  }
}

/** Returns the members of a frame that say who a client is, and when its credential expires. */
export function describeIdentity(
  identity: Identity | undefined,
): { readonly identity: string | null; readonly expiresAt: string | null } {
  const { subject = null, expiresAt } = identity ?? {};
  return {
    identity: subject,
    expiresAt: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
  };
}
