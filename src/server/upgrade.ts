/**
 * From an HTTP request to a connection: everything that can be refused is refused before the upgrade.
 *
 * @module
 */
import type { OriginCheck } from "../auth/origin.ts";
import type { Connection } from "../connection/connection.ts";
import type { Lease } from "../limits/places.ts";
import type { ConnectionPlaces } from "../limits/connection_places.ts";
import type { SUBPROTOCOL } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Admit, Admitted } from "./admission.ts";
import { findMalformed, selectSubprotocol } from "./handshake.ts";
import { type Refusal, refuse } from "./responses.ts";

/** Makes the connection of a client whose WebSocket is open. */
export type OpenConnection = (client: Client) => Connection;

/** A client that is let in. */
export interface Client extends Pick<Admitted, "identity" | "key"> {
  readonly webSocket: WebSocket;
  /** Names the connection in the log. */
  readonly id: string;
  /** The subprotocol that was agreed on; absent: the plain dialect. */
  readonly subprotocol: typeof SUBPROTOCOL | undefined;
  /** To be called when the server's side is through: everything sent and the close begun. */
  closing(): void;
}

/** What an upgrade goes by. */
export interface UpgradeOptions {
  /** Whether an admission may wait for another server, and the client may leave meanwhile. */
  readonly mayWait?: boolean;
  /** A peer that sends nothing for so long is pinged, and dropped if it does not answer. In seconds. */
  readonly idleTimeoutSeconds?: number;
  /** How long a WebSocket may take to open once its handshake is answered, in milliseconds. */
  readonly openTimeoutMs?: number;
  /** How long a client may take to answer the closing handshake, in milliseconds. */
  readonly closeTimeoutMs?: number;
}

/** What an upgrade works with. */
export interface UpgradeDeps {
  /** A place for each connection, from its handshake until it has left. */
  readonly seats: ConnectionPlaces;
  readonly isOriginAllowed: OriginCheck;
  /** Gives the address of the client behind a socket, which may be a proxy's. */
  readonly clientAddress: (headers: Headers, socketAddress: string) => string;
  readonly admit: Admit;
  readonly openConnection: OpenConnection;
  /** Whether the service takes no more work. */
  readonly isDraining: () => boolean;
  readonly telemetry: Telemetry;
}

/** Answers a request for `/ws`. */
export interface Upgrade {
  (request: Request, info: Deno.ServeHandlerInfo): Promise<Response>;
  /** The connections there are, those that are closing included. */
  readonly connections: ReadonlySet<Connection>;
}

// What a client that was refused for want of room is told to wait.
const RETRY_AFTER_SECONDS = 5;

// Nobody hears it but the log.
const GONE: Refusal = { code: "bad_handshake", message: "The client left before it was let in" };

/** What was decided before the answer to a handshake. */
interface Entry extends Admitted, Pick<Client, "webSocket" | "subprotocol"> {
  readonly address: string;
  readonly seat: Lease;
}

/** What all visits have in common. */
interface VisitContext
  extends
    Required<Pick<UpgradeOptions, "openTimeoutMs" | "closeTimeoutMs">>,
    Pick<UpgradeDeps, "openConnection" | "isDraining" | "telemetry"> {
  readonly connections: Set<Connection>;
}

/**
 * One client, from the answer to its handshake until it has left. A class that listens itself: there are many idle
 * connections, and listeners would be made for each.
 */
class Visit implements Client, EventListenerObject {
  readonly id = crypto.randomUUID();
  readonly #entry: Entry;
  readonly #context: VisitContext;
  #connection: Connection | undefined;
  #timer: ReturnType<typeof setTimeout>;
  #left = false;

  constructor(entry: Entry, context: VisitContext) {
    const { webSocket } = entry;
    this.#entry = entry;
    this.#context = context;
    // A client that was gone before the answer gets no event at all, neither open nor close.
    this.#timer = setTimeout(() => this.#giveUp(), context.openTimeoutMs);
    webSocket.binaryType = "arraybuffer";
    webSocket.addEventListener("open", this, { once: true });
    webSocket.addEventListener("message", this);
    webSocket.addEventListener("close", this, { once: true }); // also behind an error, and tells all there is
  }

  get webSocket(): WebSocket {
    return this.#entry.webSocket;
  }

  get subprotocol(): Client["subprotocol"] {
    return this.#entry.subprotocol;
  }

  get identity(): Client["identity"] {
    return this.#entry.identity;
  }

  get key(): string {
    return this.#entry.key;
  }

  /** An exception in a listener would end the process. */
  handleEvent(event: Event): void {
    try {
      if (event instanceof MessageEvent) this.#connection?.receive(event.data);
      else if (event instanceof CloseEvent) this.#leave(event.code);
      else this.#open();
    } catch (error) {
      this.#failed(error);
    }
  }

  closing(): void {
    if (this.#left) return;
    this.#timer = setTimeout(() => this.#giveUp(), this.#context.closeTimeoutMs);
  }

  /** A client that does not answer the closing handshake has left as well. */
  #giveUp(): void {
    try {
      this.#leave(0);
    } catch (error) {
      this.#failed(error);
    }
  }

  #open(): void {
    const { openConnection, connections, isDraining, telemetry } = this.#context;
    clearTimeout(this.#timer);
    if (this.#left) return this.webSocket.close(); // it took too long, and its place is another's
    const { id, subprotocol, identity } = this;
    telemetry.emit({
      type: "connected",
      connection: id,
      dialect: subprotocol ?? "plain",
      client: this.#entry.address,
      ...(identity !== undefined && { identity: identity.subject }),
    });
    const connection = this.#connection = openConnection(this);
    connections.add(connection);
    if (isDraining()) connection.drain(0); // the drain began between the upgrade and the open event
  }

  #leave(code: number): void {
    const { seat, lease } = this.#entry;
    this.#left = true;
    clearTimeout(this.#timer);
    seat[Symbol.dispose]();
    lease[Symbol.dispose]();
    if (this.#connection === undefined) return;
    this.#context.connections.delete(this.#connection);
    this.#connection.closed(code);
  }

  #failed(error: unknown): void {
    this.#context.telemetry.emit({ type: "failed", connection: this.id, error });
    if (this.#connection === undefined) this.webSocket.close(); // nobody would ever answer
  }
}

/** Creates an {@linkcode Upgrade}. */
export function createUpgrade(
  {
    mayWait = false,
    idleTimeoutSeconds = 30,
    openTimeoutMs = 2000,
    closeTimeoutMs = 1000,
  }: UpgradeOptions,
  { seats, isOriginAllowed, clientAddress, admit, openConnection, isDraining, telemetry }:
    UpgradeDeps,
): Upgrade {
  const connections = new Set<Connection>();
  const context = {
    openTimeoutMs,
    closeTimeoutMs,
    openConnection,
    isDraining,
    telemetry,
    connections,
  };
  const crowd: Refusal = {
    code: "too_many_connections",
    message: `The service holds ${seats.max} connections; try again later`,
    headers: { "retry-after": String(RETRY_AFTER_SECONDS) },
  };

  function findDraining(): Refusal | undefined {
    if (!isDraining()) return undefined;
    return { code: "draining", message: "The service is going away; try another" };
  }

  function findRefusal(request: Request): Refusal | undefined {
    const malformed = findMalformed(request.headers);
    if (malformed !== undefined) return malformed;
    if (!isOriginAllowed(request)) {
      return {
        code: "origin_not_allowed",
        message:
          "Pages of this origin may not connect; the operator can list it in ALLOWED_ORIGINS",
      };
    }
    return findDraining() ?? (seats.isFull ? crowd : undefined);
  }

  function refuseAs({ code, message, headers }: Refusal, address: string): Response {
    const response = refuse(code, message, headers);
    telemetry.emit({
      type: "refused",
      client: address,
      status: response.status,
      code,
      reason: message,
    });
    return response;
  }

  async function upgrade(
    request: Request,
    { remoteAddr }: Deno.ServeHandlerInfo,
  ): Promise<Response> {
    const { headers } = request;
    const address = clientAddress(
      headers,
      "hostname" in remoteAddr ? remoteAddr.hostname : remoteAddr.transport,
    );
    const refusal = findRefusal(request);
    if (refusal !== undefined) return refuseAs(refusal, address);
    // Asked for afterwards, it does not tell; asked for in vain, Deno warns of its older behaviour.
    const signal = mayWait ? request.signal : undefined;
    const admitted = await admit(headers, address);
    if ("code" in admitted) return refuseAs(admitted, address);
    using stack = new DisposableStack();
    stack.use(admitted.lease);
    const late = findDraining();
    if (late !== undefined) return refuseAs(late, address);
    if (signal?.aborted) return refuseAs(GONE, address); // its WebSocket would have no event, not even close
    const seat = seats.take();
    if (seat === undefined) return refuseAs(crowd, address);
    stack.use(seat);
    const subprotocol = selectSubprotocol(headers);
    const { socket: webSocket, response } = Deno.upgradeWebSocket(request, {
      idleTimeout: idleTimeoutSeconds,
    });
    // Deno's own `protocol` option throws when the offer has no space, or two, after a comma.
    if (subprotocol !== undefined) response.headers.set("sec-websocket-protocol", subprotocol);
    new Visit({ ...admitted, webSocket, subprotocol, address, seat }, context);
    stack.move(); // both are given back when the connection has left
    return response;
  }

  return Object.assign(upgrade, { connections });
}
