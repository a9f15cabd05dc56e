/**
 * From an HTTP request to a connection: everything that can be refused is refused before the upgrade.
 *
 * @module
 */
import type { OriginCheck } from "../auth/origin.ts";
import type { Connection } from "../connection/connection.ts";
import { type HttpErrorCode, SUBPROTOCOL } from "../protocol/mod.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { refuse } from "./responses.ts";

/** Makes the connection of an open WebSocket. */
export type OpenConnection = (webSocket: WebSocket, context: ConnectionContext) => Connection;

/** What the handshake said. */
export interface ConnectionContext {
  /** Names the connection in the log. */
  readonly id: string;
  /** The subprotocol that was agreed on; absent: the plain dialect. */
  readonly subprotocol: typeof SUBPROTOCOL | undefined;
}

/** What an upgrade goes by. */
export interface UpgradeOptions {
  readonly maxConnections: number;
  /** A peer that sends nothing for so long is pinged, and dropped if it does not answer. In seconds. */
  readonly idleTimeoutSeconds?: number;
  /** How long a client may take to answer the closing handshake, in milliseconds. */
  readonly closeTimeoutMs?: number;
}

/** What an upgrade works with. */
export interface UpgradeDeps {
  readonly isOriginAllowed: OriginCheck;
  readonly openConnection: OpenConnection;
  /** Whether the service takes no more work. */
  readonly isDraining: () => boolean;
  readonly telemetry: Telemetry;
}

/** Answers a request for `/ws`. */
export interface Upgrade {
  (request: Request, info: Deno.ServeHandlerInfo): Response;
  /** The connections there are, those that are closing included. */
  readonly connections: ReadonlySet<Connection>;
}

// What a client that was refused for want of room is told to wait.
const RETRY_AFTER_SECONDS = 5;
const WEBSOCKET_VERSION = "13"; // RFC 6455 §4.1
const WEBSOCKET_KEY = /^[A-Za-z0-9+/]{22}==$/; // 16 bytes in base64, RFC 6455 §4.1

interface Refusal {
  readonly code: HttpErrorCode;
  readonly message: string;
  readonly headers?: Record<string, string>;
}

/** Creates an {@linkcode Upgrade}. */
export function createUpgrade(
  { maxConnections, idleTimeoutSeconds = 30, closeTimeoutMs = 1000 }: UpgradeOptions,
  { isOriginAllowed, openConnection, isDraining, telemetry }: UpgradeDeps,
): Upgrade {
  const connections = new Set<Connection>();
  let reserved = 0;

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
    if (isDraining()) {
      return { code: "draining", message: "The service is going away; try another" };
    }
    if (connections.size + reserved < maxConnections) return undefined;
    return {
      code: "too_many_connections",
      message: `The service holds ${maxConnections} connections; try again later`,
      headers: { "retry-after": String(RETRY_AFTER_SECONDS) },
    };
  }

  function listen(webSocket: WebSocket, context: ConnectionContext, client: string): void {
    let connection: Connection | undefined;
    let closing: ReturnType<typeof setTimeout> | undefined;
    let left = false;
    // From here to the open event the connection has a place but no object.
    reserved++;
    const release = once(() => reserved--);
    /** A client that does not answer the closing handshake has left as well. */
    const leave = (code: number): void => {
      left = true;
      clearTimeout(closing);
      release();
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
      }
    };
    webSocket.binaryType = "arraybuffer";
    webSocket.onopen = () =>
      safely(() => {
        release();
        const { id, subprotocol } = context;
        telemetry.connected({ connection: id, dialect: subprotocol ?? "plain", client });
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

  function upgrade(request: Request, { remoteAddr }: Deno.ServeHandlerInfo): Response {
    const client = "hostname" in remoteAddr ? remoteAddr.hostname : remoteAddr.transport;
    const refusal = findRefusal(request);
    if (refusal !== undefined) {
      const response = refuse(refusal.code, refusal.message, refusal.headers);
      telemetry.refused({ client, status: response.status, code: refusal.code });
      return response;
    }
    const subprotocol = offeredSubprotocols(request.headers).length > 0 ? SUBPROTOCOL : undefined;
    const { socket, response } = Deno.upgradeWebSocket(request, {
      idleTimeout: idleTimeoutSeconds,
    });
    // Deno's own `protocol` option throws when the offer has no space, or two, after a comma.
    if (subprotocol !== undefined) response.headers.set("sec-websocket-protocol", subprotocol);
    listen(socket, { id: crypto.randomUUID(), subprotocol }, client);
    return response;
  }

  return Object.assign(upgrade, { connections });
}

/** What is wrong with a WebSocket handshake (RFC 6455 §4.2.1). */
function findMalformed(headers: Headers): Refusal | undefined {
  if (!hasToken(headers, "upgrade", "websocket") || !hasToken(headers, "connection", "upgrade")) {
    return {
      code: "upgrade_required",
      message: "This is a WebSocket endpoint; connect with a WebSocket client",
      headers: { upgrade: "websocket", connection: "Upgrade" },
    };
  }
  if (headers.get("sec-websocket-version") !== WEBSOCKET_VERSION) {
    return {
      code: "upgrade_required",
      message: `The WebSocket version must be ${WEBSOCKET_VERSION}`,
      headers: { "sec-websocket-version": WEBSOCKET_VERSION, upgrade: "websocket" },
    };
  }
  if (!WEBSOCKET_KEY.test(headers.get("sec-websocket-key") ?? "")) {
    return { code: "bad_handshake", message: "Sec-WebSocket-Key must be 16 bytes in base64" };
  }
  const offered = offeredSubprotocols(headers);
  if (offered.length > 0 && !offered.includes(SUBPROTOCOL)) {
    return {
      code: "bad_handshake",
      message: `None of the offered subprotocols is known; offer ${SUBPROTOCOL}, or none`,
    };
  }
  return undefined;
}

function hasToken(headers: Headers, name: string, token: string): boolean {
  return listOf(headers, name).some((item) => item.toLowerCase() === token);
}

function offeredSubprotocols(headers: Headers): readonly string[] {
  return listOf(headers, "sec-websocket-protocol");
}

function listOf(headers: Headers, name: string): readonly string[] {
  return (headers.get(name) ?? "").split(",").map((item) => item.trim()).filter((item) =>
    item !== ""
  );
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}
