/**
 * Decides which clients may connect. The WebSocket handshake and the console's question about it go through the same
 * gate.
 *
 * @module
 */
import type { Authenticator, Identity } from "../auth/authenticator.ts";
import { type ClientAddress, toAddressKey } from "../auth/client_address.ts";
import type { OriginCheck } from "../auth/origin.ts";
import type { Lease, Limiter } from "../limits/limiter.ts";
import type { MemoryBudget } from "../limits/memory_budget.ts";
import type { ConnectionPlaces } from "../limits/connection_places.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { authenticate } from "./authenticate.ts";
import { findMalformed } from "./handshake.ts";
import {
  DRAINING,
  isRefusal,
  OVERLOADED,
  type Refusal,
  toRefusalResponse,
  toRetryAfter,
} from "./refusal.ts";

/** A client that may connect. */
export interface Admitted {
  /** `undefined` if clients need no credential. */
  readonly identity: Identity | undefined;
  /** The key that limits count by: of the identity, else of the client's address. */
  readonly key: string;
  /** The identity's place for a connection, to be disposed of when the connection has ended. */
  readonly lease: Lease;
}

/** Decides on clients in steps: {@linkcode Gate.findRefusal}, {@linkcode Gate.admit}, {@linkcode Gate.takePlace}. */
export interface Gate {
  /** Returns the address of the client that sent a request. */
  addressOf(request: Request, info: Deno.ServeHandlerInfo): string;
  /**
   * Returns why a client may not connect, as far as that is known without its credential.
   *
   * @param isHandshake Whether the request has to be a WebSocket handshake.
   */
  findRefusal(request: Request, isHandshake: boolean): Refusal | undefined;
  /** Authenticates a client and takes a place of its identity. */
  admit(headers: Headers, address: string): Promise<Admitted | Refusal>;
  /** Returns how long a client that was admitted has to wait, in milliseconds; mostly 0. */
  toDelayMs(client: Admitted): number;
  /** Takes a place of the service for a connection. Decides anew: the admission of the client may have taken time. */
  takePlace(): Lease | Refusal;
  /** Reports a refusal and returns its response. */
  refuse(
    refusal: Refusal,
    address: string,
    headers?: Readonly<Record<string, string>>,
  ): Response;
}

/** What a gate decides by, and where it reports refusals. */
export interface GateDeps {
  readonly isOriginAllowed: OriginCheck;
  readonly toClientAddress: ClientAddress;
  /** `undefined` if clients need no credential. */
  readonly authenticator: Authenticator | undefined;
  /** Limits the connections of each identity. */
  readonly limiter: Limiter;
  /** Limits the connections of all clients. */
  readonly places: ConnectionPlaces;
  readonly memory: MemoryBudget;
  readonly isDraining: () => boolean;
  readonly telemetry: Telemetry;
}

const FULL_RETRY_AFTER_MS = 5000;

/** Creates a {@linkcode Gate}. */
export function createGate(deps: GateDeps): Gate {
  const {
    isOriginAllowed,
    toClientAddress,
    authenticator,
    limiter,
    places,
    memory,
    isDraining,
    telemetry,
  } = deps;
  const full: Refusal = {
    code: "too_many_connections",
    message: `The service has ${places.max} connections, its limit; try again later`,
    headers: toRetryAfter(FULL_RETRY_AFTER_MS),
  };

  return {
    addressOf({ headers }, { remoteAddr }): string {
      const isIp = "hostname" in remoteAddr;
      return toClientAddress(headers, isIp ? remoteAddr.hostname : remoteAddr.transport);
    },
    findRefusal(request, isHandshake): Refusal | undefined {
      const malformed = isHandshake ? findMalformed(request.headers) : undefined;
      if (malformed !== undefined) return malformed;
      if (!isOriginAllowed(request)) {
        return {
          code: "origin_not_allowed",
          message:
            "Pages of this origin may not connect; the operator can list it in ALLOWED_ORIGINS",
        };
      }
      if (isDraining()) return DRAINING;
      if (memory.freeBytes <= 0) return OVERLOADED;
      return places.isFull ? full : undefined;
    },
    async admit(headers, address): Promise<Admitted | Refusal> {
      const identity = await authenticate(headers, authenticator);
      if (identity !== undefined && isRefusal(identity)) return identity;
      // The prefixes keep an identity apart from an address of the same text.
      const key = identity === undefined
        ? `address:${toAddressKey(address)}`
        : `identity:${identity.subject}`;
      const lease = limiter.admitConnection(key);
      if (!("limit" in lease)) return { identity, key, lease };
      const { message, retryAfterMs } = lease;
      return { code: "rate_limited", message, headers: toRetryAfter(retryAfterMs) };
    },
    toDelayMs: ({ key }) => memory.penalties.toDelayMs(key),
    takePlace: () => isDraining() ? DRAINING : places.take() ?? full,
    refuse(refusal, address, headers): Response {
      const response = toRefusalResponse(refusal, headers);
      const { code, message: reason } = refusal;
      telemetry.emit({ type: "refused", client: address, status: response.status, code, reason });
      return response;
    },
  };
}
