/**
 * The client and the protocol as text: the modules that browsers are served.
 *
 * @module
 */
import clientBackoff from "./client/backoff.ts" with { type: "text" };
import clientBody from "./client/body.ts" with { type: "text" };
import clientClient from "./client/client.ts" with { type: "text" };
import clientConnection from "./client/connection.ts" with { type: "text" };
import clientEvents from "./client/events.ts" with { type: "text" };
import clientExchange from "./client/exchange.ts" with { type: "text" };
import clientFarewell from "./client/farewell.ts" with { type: "text" };
import clientFetch from "./client/fetch.ts" with { type: "text" };
import clientHeartbeat from "./client/heartbeat.ts" with { type: "text" };
import clientIds from "./client/ids.ts" with { type: "text" };
import clientInbound from "./client/inbound.ts" with { type: "text" };
import clientLoss from "./client/loss.ts" with { type: "text" };
import clientMod from "./client/mod.ts" with { type: "text" };
import clientRequest from "./client/request.ts" with { type: "text" };
import clientResponse from "./client/response.ts" with { type: "text" };
import clientSink from "./client/sink.ts" with { type: "text" };
import clientSocket from "./client/socket.ts" with { type: "text" };
import clientState from "./client/state.ts" with { type: "text" };
import clientTimers from "./client/timers.ts" with { type: "text" };
import clientTransport from "./client/transport.ts" with { type: "text" };
import clientUpload from "./client/upload.ts" with { type: "text" };
import protocolBase64 from "./protocol/base64.ts" with { type: "text" };
import protocolBody from "./protocol/body.ts" with { type: "text" };
import protocolChunk from "./protocol/chunk.ts" with { type: "text" };
import protocolErrors from "./protocol/errors.ts" with { type: "text" };
import protocolFrames from "./protocol/frames.ts" with { type: "text" };
import protocolHandshake from "./protocol/handshake.ts" with { type: "text" };
import protocolMod from "./protocol/mod.ts" with { type: "text" };
import protocolRequest from "./protocol/request.ts" with { type: "text" };
import protocolResponse from "./protocol/response.ts" with { type: "text" };
import protocolVerbatim from "./protocol/verbatim.ts" with { type: "text" };

/** TypeScript by its path below `src`. */
export const CLIENT_SOURCES: Readonly<Record<string, string>> = {
  "client/backoff.ts": clientBackoff,
  "client/body.ts": clientBody,
  "client/client.ts": clientClient,
  "client/connection.ts": clientConnection,
  "client/events.ts": clientEvents,
  "client/exchange.ts": clientExchange,
  "client/farewell.ts": clientFarewell,
  "client/fetch.ts": clientFetch,
  "client/heartbeat.ts": clientHeartbeat,
  "client/ids.ts": clientIds,
  "client/inbound.ts": clientInbound,
  "client/loss.ts": clientLoss,
  "client/mod.ts": clientMod,
  "client/request.ts": clientRequest,
  "client/response.ts": clientResponse,
  "client/sink.ts": clientSink,
  "client/socket.ts": clientSocket,
  "client/state.ts": clientState,
  "client/timers.ts": clientTimers,
  "client/transport.ts": clientTransport,
  "client/upload.ts": clientUpload,
  "protocol/base64.ts": protocolBase64,
  "protocol/body.ts": protocolBody,
  "protocol/chunk.ts": protocolChunk,
  "protocol/errors.ts": protocolErrors,
  "protocol/frames.ts": protocolFrames,
  "protocol/handshake.ts": protocolHandshake,
  "protocol/mod.ts": protocolMod,
  "protocol/request.ts": protocolRequest,
  "protocol/response.ts": protocolResponse,
  "protocol/verbatim.ts": protocolVerbatim,
};
