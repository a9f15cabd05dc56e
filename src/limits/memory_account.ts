/**
 * What one connection keeps of the budget of memory, and what each of its exchanges does.
 *
 * @module
 */

/** Counts the bytes of all accounts, and decides who may keep more. */
export interface MemoryLedger {
  /** Reports whether an account may keep so many bytes more, and others would be left besides if it keeps much. */
  fits(account: MemoryAccount, bytes: number, spare: number): boolean;
  /** Adds to what is kept, or subtracts from it. */
  count(bytes: number): void;
  /** Adds to what an account has buffered, or subtracts from it. */
  countBuffered(account: MemoryAccount, bytes: number): void;
  /** Adds to the other memory that V8 does not know of, or subtracts from it. */
  countNative(bytes: number): void;
  /** Waits until a hold may keep so many bytes more. `settle` is called when it does, or no longer waits. */
  wait(hold: MemoryHold, bytes: number, settle: () => void): void;
  /** Ends the wait of a hold, which does not get its bytes. */
  stopWaiting(hold: MemoryHold): void;
}

/** The bytes that all connections of an identity keep in this isolate. */
export interface MemoryShare {
  readonly key: string;
  accounts: number;
  keptBytes: number;
}

/** The bytes of one connection. A class: every idle connection has one. */
export class MemoryAccount {
  readonly share: MemoryShare;
  /** Whether the connection has ended. */
  isClosed = false;
  readonly #ledger: MemoryLedger;
  #kept = 0;
  #buffered = 0;

  constructor(ledger: MemoryLedger, share: MemoryShare) {
    this.#ledger = ledger;
    this.share = share;
  }

  get ledger(): MemoryLedger {
    return this.#ledger;
  }

  get keptBytes(): number {
    return this.#kept;
  }

  /** Bytes that wait in the buffer of the WebSocket for the client to read them. */
  get bufferedBytes(): number {
    return this.#buffered;
  }

  /** Sets {@linkcode MemoryAccount.bufferedBytes}. They count even if they exceed the budget. */
  setBuffered(bytes: number): void {
    const more = bytes - this.#buffered;
    if (more === 0) return;
    this.#buffered = bytes;
    this.#count(more);
    this.#ledger.countBuffered(this, more);
  }

  /** Reports whether so many bytes more fit into the budget; with others to spare if the connection keeps much. */
  fits(bytes: number, spare = 0): boolean {
    return this.#ledger.fits(this, bytes, spare);
  }

  /** Returns the hold of an exchange, which keeps so many bytes already. */
  hold(bytes: number): MemoryHold {
    return new MemoryHold(this, bytes);
  }

  /** Adds bytes that are in memory already, even if they exceed the budget. */
  keep(bytes: number): void {
    this.#count(bytes);
  }

  /** Subtracts bytes that are no longer in memory. */
  give(bytes: number): void {
    this.#count(-bytes);
  }

  #count(bytes: number): void {
    this.#kept += bytes;
    this.share.keptBytes += bytes;
    this.#ledger.count(bytes);
  }
}

// What the runtime takes for an exchange: a TLS connection has 64 KiB.
const NATIVE_BYTES = 65_536;

/** The bytes of one exchange. A class: every exchange has one. */
export class MemoryHold {
  readonly account: MemoryAccount;
  #kept = 0;
  #native = 0;
  /** What has to be left when the bytes that are being taken are kept. */
  #spare = 0;
  #isReleased = false;
  #reject: ((reason: unknown) => void) | undefined = undefined;
  /** Fulfils when the wait that was begun last has ended. */
  #waiting: Promise<void> | undefined = undefined;
  #aborted: { readonly reason: unknown } | undefined = undefined;

  /** @param bytes What the exchange keeps already. */
  constructor(account: MemoryAccount, bytes: number) {
    this.account = account;
    this.keep(bytes);
    this.#countNative(NATIVE_BYTES);
  }

  get keptBytes(): number {
    return this.#kept;
  }

  /** Adds bytes of the exchange that are in memory already, even if they exceed the budget. */
  keep(bytes: number): void {
    this.#kept += bytes;
    this.account.keep(bytes);
  }

  /** Does the same as {@linkcode MemoryHold.keep} for bytes that V8 does not know of. */
  keepNative(bytes: number): void {
    if (this.#isReleased) return;
    this.#countNative(bytes);
    this.keep(bytes);
  }

  /** Keeps so many bytes more if they fit into the budget. Returns whether they do. */
  tryTake(bytes: number): boolean {
    if (!this.account.fits(bytes, this.#spare)) return false;
    this.keep(bytes);
    return true;
  }

  /**
   * Keeps so many bytes more. Returns nothing when they fit into the budget now, else a promise that fulfils when they
   * do. Calls that are made meanwhile wait too, one after the other: decoders read ahead while a body is collected.
   *
   * @param isNative Whether V8 does not know of the bytes.
   * @param spare How many bytes an exchange of the connection will take besides, so that one of them can.
   * @throws The reason of `abort`, as a rejection; an error after `release`.
   */
  take(bytes: number, isNative = false, spare = 0): void | Promise<void> {
    if (this.#isReleased) return Promise.reject(new Error("The exchange has ended"));
    if (isNative) this.#countNative(bytes);
    if (this.#waiting !== undefined) {
      return this.#waiting.then(() => this.take(bytes, false, spare));
    }
    this.#spare = spare;
    if (this.tryTake(bytes)) return;
    if (this.#aborted !== undefined) return Promise.reject(this.#aborted.reason);
    return this.#waiting = new Promise((resolve, reject) => {
      this.#reject = reject;
      this.account.ledger.wait(this, bytes, () => {
        this.#reject = this.#waiting = undefined;
        resolve();
      });
    });
  }

  /** Subtracts bytes of the exchange that are no longer in memory. */
  give(bytes: number): void {
    this.#kept -= bytes;
    this.account.give(bytes);
  }

  /** Ends all waits. Later calls of `take` do not wait, either. */
  abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#endWait(reason);
  }

  /** Subtracts all bytes of the exchange, which has ended. */
  release(): void {
    this.#isReleased = true;
    this.#endWait(undefined);
    if (this.#kept !== 0) this.give(this.#kept);
    if (this.#native !== 0) this.#countNative(-this.#native);
  }

  #endWait(reason: unknown): void {
    if (this.#reject === undefined) return;
    this.#reject(reason);
    this.account.ledger.stopWaiting(this);
  }

  #countNative(bytes: number): void {
    this.#native += bytes;
    this.account.ledger.countNative(bytes);
  }
}
