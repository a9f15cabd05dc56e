/**
 * From an HTTP request to a connection: everything that can be refused is refused before the upgrade.
 *
 * @module
 */
import type { OriginCheck } from "../auth/origin.ts";
import type { Connection } from "../connection/connection.ts";
import type { Lease } from "../limits/places.ts";
import type { Seats } from "../limits/seats.ts";
import type { SUBPROTOCOL } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Admit, Admitted } from "./admission.ts";
import { findMalformed, selectSubprotocol } from "./handshake.ts";
import { type Refusal, refuse } from "./responses.ts";

/** Makes the connection of an open WebSocket. */
export type OpenConnection = (webSocket: WebSocket, context: ConnectionContext) => Connection;

/** What the handshake said. */
export interface ConnectionContext extends Pick<Admitted, "identity" | "key"> {
  /** Names the connection in the log. */
  readonly id: string;
  /** The subprotocol that was agreed on; absent: the plain dialect. */
  readonly subprotocol: typeof SUBPROTOCOL | undefined;
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
  readonly seats: Seats;
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

interface Entry extends Pick<Admitted, "lease"> {
  readonly client: string;
  readonly seat: Lease;
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

  function listen(
    webSocket: WebSocket,
    context: ConnectionContext,
    { client, lease, seat }: Entry,
  ): void {
    let connection: Connection | undefined;
    let closing: ReturnType<typeof setTimeout> | undefined;
    let left = false;
    // A client that was gone before the answer gets no event at all, neither open nor close.
    const opening = setTimeout(() => safely(() => leave(0)), openTimeoutMs);
    /** A client that does not answer the closing handshake has left as well. */
    const leave = (code: number): void => {
      left = true;
      clearTimeout(opening);
      clearTimeout(closing);
      seat[Symbol.dispose]();
      lease[Symbol.dispose]();
      if (connection === undefined) return;
      connections.delete(connection);
      connection.closed(code);
    };
    /** An exception in a listener would end the process. */
    const safely = (listener: () => void): void => {
      try {
        listener();
      } catch (error) {
        telemetry.failed({ connection: context.id, error });
        if (connection === undefined) webSocket.close(); // nobody would ever answer
      }
    };
    webSocket.binaryType = "arraybuffer";
    webSocket.onopen = () =>
      safely(() => {
        clearTimeout(opening);
        if (left) return webSocket.close(); // it took too long, and its place is another's
        const { id, subprotocol, identity } = context;
        telemetry.connected({
          connection: id,
          dialect: subprotocol ?? "plain",
          client,
          ...(identity !== undefined && { identity: identity.subject }),
        });
        connection = openConnection(webSocket, context);
        connections.add(connection);
        connection.finished.then(() => {
          if (!left) closing = setTimeout(() => leave(0), closeTimeoutMs);
        });
        if (isDraining()) connection.drain(0); // the drain began between the upgrade and the open event
      });
    webSocket.onmessage = ({ data }) => safely(() => connection?.receive(data));
    webSocket.onclose = ({ code }) => safely(() => leave(code));
    webSocket.onerror = () => {}; // a close event follows, and tells all there is
  }

  function refuseAs({ code, message, headers }: Refusal, client: string): Response {
    const response = refuse(code, message, headers);
    telemetry.refused({ client, status: response.status, code, reason: message });
    return response;
  }

  async function upgrade(
    request: Request,
    { remoteAddr }: Deno.ServeHandlerInfo,
  ): Promise<Response> {
    const { headers } = request;
    const client = clientAddress(
      headers,
      "hostname" in remoteAddr ? remoteAddr.hostname : remoteAddr.transport,
    );
    const refusal = findRefusal(request);
    if (refusal !== undefined) return refuseAs(refusal, client);
    // Asked for afterwards, it does not tell; asked for in vain, Deno warns of its older behaviour.
    const signal = mayWait ? request.signal : undefined;
    const admitted = await admit(headers, client);
    if ("code" in admitted) return refuseAs(admitted, client);
    const { identity, key, lease } = admitted;
    using stack = new DisposableStack();
    stack.use(lease);
    const late = findDraining();
    if (late !== undefined) return refuseAs(late, client);
    if (signal?.aborted) return refuseAs(GONE, client); // its WebSocket would have no event, not even close
    const seat = seats.take();
    if (seat === undefined) return refuseAs(crowd, client);
    stack.use(seat);
    const subprotocol = selectSubprotocol(headers);
    const { socket, response } = Deno.upgradeWebSocket(request, {
      idleTimeout: idleTimeoutSeconds,
    });
    // Deno's own `protocol` option throws when the offer has no space, or two, after a comma.
    if (subprotocol !== undefined) response.headers.set("sec-websocket-protocol", subprotocol);
    const context = { id: crypto.randomUUID(), subprotocol, identity, key };
    listen(socket, context, { client, lease, seat });
    stack.move(); // both are given back when the connection has left
    return response;
  }

  return Object.assign(upgrade, { connections });
}
