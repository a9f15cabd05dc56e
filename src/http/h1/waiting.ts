/**
 * Requests that wait for a connection to one host, in the order in which they arrived.
 *
 * @module
 */
import type { ConnectTimes } from "../transport.ts";
import type { TcpConnection } from "./connection.ts";

/** Which connection a request needs. */
export interface Wish {
  /** The addresses that were checked; `undefined`: any connection to the host will do. */
  readonly addresses: readonly string[] | undefined;
  /** The identity that the request is made for. */
  readonly identity: string | undefined;
  /** On whose behalf the request is made: one of the identity's connections. */
  readonly owner: string | undefined;
  /** Whether the request authenticates its connection, so that it needs the owner's own. */
  readonly isBinding: boolean;
  /** Whether only a new connection will do. */
  readonly isFresh: boolean;
}

/** A connection for a request. */
export interface Acquired {
  readonly connection: TcpConnection;
  /** How long the request waited; `undefined` when an idle connection was there. */
  readonly times: ConnectTimes | undefined;
}

/** A request that waits. */
export interface WaitingRequest {
  readonly wish: Wish;
  readonly signal: AbortSignal;
  /** By the clock's `now()`. */
  readonly since: number;
  readonly resolve: (acquired: Acquired) => void;
  readonly reject: (reason: unknown) => void;
  /** Ends the attempt to open a connection for this request. */
  dial: AbortController | undefined;
  /** Listens for an abort; absent while an idle connection is about to be offered. */
  abort: (() => void) | undefined;
}

/** Reports whether a request may use a connection. */
export function isFit({ address, owner }: TcpConnection, wish: Wish): boolean {
  return (wish.addresses === undefined || wish.addresses.includes(address)) &&
    (owner === undefined || owner === wish.owner);
}

/** The requests that wait for a connection to one host. */
export class WaitingList {
  readonly #requests: WaitingRequest[] = [];
  readonly #aborted: (request: WaitingRequest) => void;

  /** @param aborted Called when a request was taken out because its signal was aborted. */
  constructor(aborted: (request: WaitingRequest) => void) {
    this.#aborted = aborted;
  }

  get length(): number {
    return this.#requests.length;
  }

  /** Adds a request; its promise fulfils with a connection. */
  add(wish: Wish, signal: AbortSignal, since: number): [WaitingRequest, Promise<Acquired>] {
    const { promise, resolve, reject } = Promise.withResolvers<Acquired>();
    const request: WaitingRequest = {
      wish,
      signal,
      since,
      resolve,
      reject,
      dial: undefined,
      abort: undefined,
    };
    this.#requests.push(request);
    return [request, promise];
  }

  /** Returns the first request for which a condition holds. */
  find(condition: (request: WaitingRequest) => boolean): WaitingRequest | undefined {
    return this.#requests.find(condition);
  }

  /** Takes a request out; returns `false` if it was not there. */
  remove(request: WaitingRequest): boolean {
    const at = this.#requests[0] === request ? 0 : this.#requests.indexOf(request);
    if (at < 0) return false;
    this.#requests.splice(at, 1);
    if (request.abort !== undefined) request.signal.removeEventListener("abort", request.abort);
    return true;
  }

  /** Rejects the requests for which a condition holds. */
  fail(error: unknown, condition: (request: WaitingRequest) => boolean): void {
    for (const request of this.#requests.filter(condition)) {
      this.remove(request);
      request.reject(error);
    }
  }

  /** Lets the requests that were added since the last call hear of an abort. */
  listen(): void {
    const listening = this.#requests.findLastIndex(({ abort }) => abort !== undefined);
    for (const request of this.#requests.slice(listening + 1)) {
      request.abort = () => {
        if (!this.remove(request)) return;
        request.reject(request.signal.reason);
        this.#aborted(request);
      };
      if (request.signal.aborted) request.abort();
      else request.signal.addEventListener("abort", request.abort);
    }
  }
}
