/**
 * Limits the bytes that the service keeps for its clients: bodies, uploads, frames and events that wait. Connections
 * and identities share the budget so that none of them can use up what the others need.
 *
 * @module
 */
import type { Cancel, Clock } from "../clock.ts";
import {
  MemoryAccount,
  type MemoryHold,
  type MemoryLedger,
  type MemoryShare,
} from "./memory_account.ts";
import { findStuck, inOrder, SMALL_BYTES, type Waiter } from "./memory_waiting.ts";
import { Penalties } from "./penalties.ts";

/** Is told when its connection has to give back memory. */
export interface MemoryOwner {
  /** Ends the part of the connection that keeps the most bytes, so that others can go on. */
  endLargest(): void;
  /** Returns how many bytes wait in the buffer of the WebSocket now. */
  readBuffered(): number;
}

/** How many bytes the isolates of a process keep, in memory that they share. */
export interface SharedBytes {
  /** One number for each isolate. */
  readonly bytes: Float64Array<ArrayBufferLike>;
  /** The index of this isolate's number. */
  readonly index: number;
}

/** What every connection keeps. */
export const CONNECTION_BYTES = 16_384;

// Of all bytes: what one connection may keep, what an identity may keep when it is helped, and what is kept free for
// connections that keep little.
const CONNECTION_SHARE = 1 / 3;
const IDENTITY_SHARE = 1 / 2;
const RESERVE_SHARE = 1 / 10;
// When no bytes were given or given back for so long, the one who keeps least is given bytes from the reserve, or bytes are
// freed. It is given bytes from the reserve, too, when it has waited for so long.
const [STALL_MS, MAX_WAIT_MS] = [500, 3000] as const;
// How long the service calls itself overloaded after it has refused an exchange or ended one.
const OVERLOADED_MS = 5000;

/** The budget of one isolate, which may be a part of that of its process. */
export class MemoryBudget implements MemoryLedger {
  /** The most bytes that all isolates may keep. */
  readonly maxBytes: number;
  /** The most bytes that one connection may keep. */
  readonly maxConnectionBytes: number;
  /** Whether the process has so little memory left that only small connections are given bytes. */
  isShort = false;
  /** Of the identities whose connections were ended for memory that nothing explains. */
  readonly penalties: Penalties;
  /** How often {@linkcode MemoryBudget.tick} was called. */
  ticks = 0;
  readonly #clock: Clock;
  readonly #shared: SharedBytes;
  readonly #accounts = new Map<MemoryAccount, MemoryOwner>();
  /** The accounts with bytes in the buffers of their WebSockets. No event tells that a client has read them. */
  readonly #buffering = new Set<MemoryAccount>();
  readonly #shares = new Map<string, MemoryShare>();
  readonly #waiting = new Map<MemoryHold, Waiter>();
  #wake: Cancel | undefined;
  #kept = 0;
  #keptByOthers = 0;
  #buffered = 0;
  #native = 0;
  /** Accounts whose TCP has not ended. */
  #open = 0;
  #movedAt = 0;
  #helpedAt = 0;
  #refusedAt = -Infinity;

  /** @param shared Default: the process has one isolate. */
  constructor(
    maxBytes: number,
    clock: Clock,
    shared: SharedBytes = { bytes: new Float64Array(1), index: 0 },
  ) {
    this.maxBytes = maxBytes;
    this.maxConnectionBytes = Math.floor(maxBytes * CONNECTION_SHARE);
    this.penalties = new Penalties(clock);
    this.#clock = clock;
    this.#shared = shared;
  }

  /** Bytes that this isolate keeps. */
  get keptBytes(): number {
    return this.#kept;
  }

  /** Memory of this isolate that V8 does not know of, as far as it is counted. */
  get nativeBytes(): number {
    return this.#native + this.#buffered + this.#open * CONNECTION_BYTES;
  }

  /** Bytes that no isolate keeps; negative when more is kept than allowed. */
  get freeBytes(): number {
    return this.maxBytes - this.#kept - this.#keptByOthers;
  }

  /** Whether exchanges were refused or ended in the last seconds, or there is no room for another connection. */
  get isOverloaded(): boolean {
    return this.freeBytes <= 0 || this.#clock.now() - this.#refusedAt < OVERLOADED_MS;
  }

  /**
   * Opens the account of a connection.
   *
   * @param key Of the identity that the connection belongs to.
   */
  openAccount(key: string, owner: MemoryOwner): MemoryAccount {
    let share = this.#shares.get(key);
    if (share === undefined) this.#shares.set(key, share = { key, accounts: 0, keptBytes: 0 });
    share.accounts++;
    this.#open++;
    const account = new MemoryAccount(this, share);
    account.keep(CONNECTION_BYTES);
    this.#accounts.set(account, owner);
    return account;
  }

  /** To be called when a connection has closed: nothing of it can be ended any more to free memory. */
  retireAccount(account: MemoryAccount): void {
    this.#accounts.delete(account);
  }

  /**
   * Closes an account when TCP has ended, and gives back what every connection keeps and what was buffered. Its
   * exchanges give back their bytes themselves.
   */
  closeAccount(account: MemoryAccount): void {
    const { share } = account;
    if (account.isClosed) return;
    account.isClosed = true;
    this.#accounts.delete(account);
    this.#open--;
    account.setBuffered(0);
    this.#buffering.delete(account);
    account.give(CONNECTION_BYTES);
    if (--share.accounts === 0) this.#shares.delete(share.key);
  }

  fits(account: MemoryAccount, bytes: number, spare: number): boolean {
    const free = this.freeBytes;
    if (account.keptBytes + bytes <= SMALL_BYTES) return bytes <= free;
    const needed = Math.max(bytes, Math.min(bytes + spare, this.maxConnectionBytes / 2));
    const reserved = bytes <= SMALL_BYTES ? 0 : this.maxBytes * RESERVE_SHARE;
    const open = this.isShort ? 0 : free - reserved;
    // An identity may keep as much as it leaves to all others, so that there is always room for one more.
    return needed <= open && account.keptBytes + needed <= this.maxConnectionBytes &&
      account.share.keptBytes + needed <= open;
  }

  count(bytes: number): void {
    this.#kept += bytes;
    if (bytes < 0 && this.#waiting.size > 0) this.#wakeSoon();
  }

  countBuffered(account: MemoryAccount, bytes: number): void {
    this.#buffered += bytes;
    if (bytes > 0) this.#buffering.add(account);
  }

  countNative(bytes: number): void {
    this.#native += bytes;
  }

  wait(hold: MemoryHold, bytes: number, settle: () => void): void {
    const since = this.#clock.now();
    if (this.#waiting.size === 0) this.#movedAt = since;
    this.#waiting.set(hold, { hold, bytes, since, settle });
  }

  stopWaiting(hold: MemoryHold): void {
    const waiter = this.#waiting.get(hold);
    if (waiter !== undefined) this.#remove(waiter);
  }

  /** Notes that an exchange was refused for want of memory. */
  refused(): void {
    this.#refusedAt = this.#clock.now();
  }

  /** To be called several times a second: counts the other isolates, and helps those that wait in vain. */
  tick(): void {
    this.ticks++;
    for (const account of this.#buffering) {
      const owner = this.#accounts.get(account);
      if (owner !== undefined) account.setBuffered(owner.readBuffered());
      if (account.bufferedBytes === 0) this.#buffering.delete(account);
    }
    const { bytes, index } = this.#shared;
    bytes[index] = this.#kept;
    let others = 0;
    for (let each = 0; each < bytes.length; each++) if (each !== index) others += bytes[each] ?? 0;
    this.#keptByOthers = others;
    if (this.#waiting.size === 0) return;
    this.#serve();
    this.#helpFirst();
  }

  /**
   * Ends the largest part of the connection that keeps the most bytes.
   *
   * @param share Of an identity whose connections alone are looked at.
   */
  endLargest(share?: MemoryShare): void {
    let largest: MemoryAccount | undefined;
    for (const account of this.#accounts.keys()) {
      if (share !== undefined && account.share !== share) continue;
      if (account.keptBytes > (largest?.keptBytes ?? 0)) largest = account;
    }
    this.refused();
    if (largest !== undefined) this.#accounts.get(largest)?.endLargest();
  }

  #wakeSoon(): void {
    this.#wake ??= this.#clock.soon(() => {
      this.#wake = undefined;
      this.#movedAt = this.#clock.now();
      this.#serve();
    });
  }

  /** Lets waiting exchanges keep their bytes if these fit now. None takes what one needs that is before it. */
  #serve(): void {
    const waiters = inOrder(this.#waiting.values());
    const stuck = findStuck(waiters);
    const full = new Set<MemoryAccount | MemoryShare>();
    for (const waiter of waiters) {
      const { hold, bytes } = waiter;
      const { account } = hold;
      if (bytes > SMALL_BYTES && (full.has(account) || full.has(account.share))) continue;
      if (hold.tryTake(bytes)) this.#taken(waiter);
      else full.add(stuck.has(account) ? account.share : account);
    }
  }

  #taken(waiter: Waiter): void {
    this.#movedAt = this.#clock.now();
    this.#remove(waiter);
  }

  #remove(waiter: Waiter): void {
    this.#waiting.delete(waiter.hold);
    waiter.settle();
  }

  /**
   * Holds that each keep a part of what they need may wait for each other: one of them goes on, or gives way. Those that
   * wait for their own connection have to wait for it, unless nothing else of it goes on.
   */
  #helpFirst(): void {
    const waiters = inOrder(this.#waiting.values());
    const stuck = findStuck(waiters);
    const now = this.#clock.now();
    const isStalled = now - this.#movedAt >= STALL_MS;
    if (!isStalled && now - this.#helpedAt < STALL_MS) return;
    for (const waiter of waiters) {
      const { hold: { account }, bytes, since } = waiter;
      const isDue = isStalled || now - since >= MAX_WAIT_MS;
      const mayGoOn = this.#fitsConnection(account, bytes) || stuck.has(account);
      if (isDue && mayGoOn && this.#help(waiter, isStalled)) return;
    }
  }

  /**
   * Lets a waiting exchange keep its bytes, or ends another one that keeps them from it. Returns `false` if neither is
   * allowed now.
   */
  #help(waiter: Waiter, isStalled: boolean): boolean {
    const { hold, bytes } = waiter;
    const { account } = hold;
    const now = this.#clock.now();
    this.#helpedAt = now;
    const isFree = !this.isShort && bytes <= this.freeBytes;
    const isShared = account.share.keptBytes + bytes <= this.maxBytes * IDENTITY_SHARE;
    if (isFree && isShared && hold.keptBytes + bytes <= this.maxConnectionBytes) {
      hold.keep(bytes);
      this.#taken(waiter);
    } else if (!this.#fitsConnection(account, bytes)) {
      this.refused();
      this.#accounts.get(account)?.endLargest();
    } else if (isStalled) {
      this.#movedAt = now;
      this.endLargest(isFree ? account.share : undefined);
    } else return false;
    return true;
  }

  #fitsConnection({ keptBytes }: MemoryAccount, bytes: number): boolean {
    return keptBytes + bytes <= this.maxConnectionBytes;
  }
}
