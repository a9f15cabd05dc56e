/**
 * The credential of a connection: until when it counts, and how another takes its place.
 *
 * @module
 */
import type { Authenticator, Identity } from "../auth/authenticator.ts";
import { type HelloFrame, ProxyError } from "../protocol/mod.ts";

/** What a connection was authenticated with. */
export interface Credential {
  /** The error of a request that comes now; `undefined`: the credential counts. */
  findRefusal(): ProxyError | undefined;
  /**
   * Puts another credential of the same identity in its place.
   *
   * @throws {ProxyError} `unauthorized`; `retryable` only when it could not be checked now.
   */
  renew(token: string): Promise<Identity | undefined>;
  /** To be called when the connection has ended. */
  close(): void;
}

/** What a credential goes by. */
export interface CredentialOptions {
  /** `undefined`: nobody is authenticated here, and nothing expires. */
  readonly identity: Identity | undefined;
  /** After its end, how long another is waited for, in milliseconds. */
  readonly graceMs: number;
  /** After that, how long exchanges in flight may take to finish, in milliseconds. */
  readonly finishMs: number;
}

/** What a credential works with. */
export interface CredentialDeps {
  readonly authenticator: Authenticator | undefined;
  /** Called when the grace is over: the connection is to end with its last exchange. */
  expired(): void;
  /** Called when that has taken too long as well. */
  overdue(): void;
}

// Deno's timers hold a signed 32-bit number of milliseconds.
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Creates a {@linkcode Credential}. */
export function createCredential(
  options: CredentialOptions,
  deps: CredentialDeps,
): Credential {
  return new WatchedCredential(options, deps);
}

/** A class, as every idle connection has one: the functions of a closure would be made for each. */
class WatchedCredential implements Credential {
  readonly #options: CredentialOptions;
  readonly #deps: CredentialDeps;
  #expiresAt: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isRenewing = false;
  #isClosed = false;

  constructor(options: CredentialOptions, deps: CredentialDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#expiresAt = options.identity?.expiresAt;
    this.#watch();
  }

  findRefusal(): ProxyError | undefined {
    if (this.#expiresAt === undefined || Date.now() < this.#expiresAt) return undefined;
    return new ProxyError(
      "unauthorized",
      'The credential has expired; send another in an "auth" frame, or open a connection with it',
    );
  }

  async renew(token: string): Promise<Identity | undefined> {
    if (this.#isRenewing) {
      const message = "A credential is being checked already; wait for the answer";
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

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#expiresAt === undefined || this.#isClosed) return;
    const { graceMs, finishMs } = this.#options;
    const end = this.#expiresAt + graceMs;
    this.#at(end, () => {
      this.#deps.expired();
      if (!this.#isClosed) this.#at(end + finishMs, () => this.#deps.overdue());
    });
  }

  /** Calls back at a time, which may be further away than a timer reaches. */
  #at(time: number, callback: () => void): void {
    const delayMs = time - Date.now();
    this.#timer = delayMs > MAX_DELAY_MS
      ? setTimeout(() => this.#at(time, callback), MAX_DELAY_MS)
      : setTimeout(callback, Math.max(0, delayMs));
  }

  async #check(token: string): Promise<Identity | undefined> {
    const renewed = await this.#deps.authenticator?.authenticate(token);
    if (renewed?.subject === this.#options.identity?.subject) return renewed;
    throw new ProxyError(
      "unauthorized",
      "The credential is of another identity; open a connection",
    );
  }
}

/** Says who a client is, as frames do. */
export function describeIdentity(
  identity: Identity | undefined,
): Pick<HelloFrame, "identity" | "expiresAt"> {
  const { subject = null, expiresAt } = identity ?? {};
  return {
    identity: subject,
    expiresAt: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
  };
}
