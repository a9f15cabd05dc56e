/**
 * The source text of the client and the protocol, which the service serves to browsers as modules.
 *
 * @module
 */
import clientClient from "./client/client.ts" with { type: "text" };
import clientDispatcher from "./client/dispatcher.ts" with { type: "text" };
import clientEvents from "./client/events.ts" with { type: "text" };
import clientFetch from "./client/fetch.ts" with { type: "text" };
import clientHeartbeat from "./client/heartbeat.ts" with { type: "text" };
import clientMod from "./client/mod.ts" with { type: "text" };
import clientOptions from "./client/options.ts" with { type: "text" };
import clientPendingExchange from "./client/pending_exchange.ts" with { type: "text" };
import clientQueuedExchange from "./client/queued_exchange.ts" with { type: "text" };
import clientReconnection from "./client/reconnection.ts" with { type: "text" };
import clientRequest from "./client/request.ts" with { type: "text" };
import clientResponse from "./client/response.ts" with { type: "text" };
import clientResponseBody from "./client/response_body.ts" with { type: "text" };
import clientServerMessage from "./client/server_message.ts" with { type: "text" };
import clientServiceConnection from "./client/service_connection.ts" with { type: "text" };
import clientSocket from "./client/socket.ts" with { type: "text" };
import clientState from "./client/state.ts" with { type: "text" };
import clientTimers from "./client/timers.ts" with { type: "text" };
import clientUploadSender from "./client/upload_sender.ts" with { type: "text" };
import protocolBase64 from "./protocol/base64.ts" with { type: "text" };
import protocolBody from "./protocol/body.ts" with { type: "text" };
import protocolChunk from "./protocol/chunk.ts" with { type: "text" };
import protocolErrors from "./protocol/errors.ts" with { type: "text" };
import protocolFrames from "./protocol/frames.ts" with { type: "text" };
import protocolGrammar from "./protocol/grammar.ts" with { type: "text" };
import protocolHandshake from "./protocol/handshake.ts" with { type: "text" };
import protocolMod from "./protocol/mod.ts" with { type: "text" };
import protocolRequest from "./protocol/request.ts" with { type: "text" };
import protocolResponse from "./protocol/response.ts" with { type: "text" };
import protocolVerbatim from "./protocol/verbatim.ts" with { type: "text" };

/** The TypeScript source of each module, by its path below `src`. */
export const CLIENT_SOURCES: Readonly<Record<string, string>> = {
  "client/client.ts": clientClient,
  "client/dispatcher.ts": clientDispatcher,
  "client/events.ts": clientEvents,
  "client/fetch.ts": clientFetch,
  "client/heartbeat.ts": clientHeartbeat,
  "client/mod.ts": clientMod,
  "client/options.ts": clientOptions,
  "client/pending_exchange.ts": clientPendingExchange,
  "client/queued_exchange.ts": clientQueuedExchange,
  "client/reconnection.ts": clientReconnection,
  "client/request.ts": clientRequest,
  "client/response.ts": clientResponse,
  "client/response_body.ts": clientResponseBody,
  "client/server_message.ts": clientServerMessage,
  "client/service_connection.ts": clientServiceConnection,
  "client/socket.ts": clientSocket,
  "client/state.ts": clientState,
  "client/timers.ts": clientTimers,
  "client/upload_sender.ts": clientUploadSender,
  "protocol/base64.ts": protocolBase64,
  "protocol/body.ts": protocolBody,
  "protocol/chunk.ts": protocolChunk,
  "protocol/errors.ts": protocolErrors,
  "protocol/frames.ts": protocolFrames,
  "protocol/grammar.ts": protocolGrammar,
  "protocol/handshake.ts": protocolHandshake,
  "protocol/mod.ts": protocolMod,
  "protocol/request.ts": protocolRequest,
  "protocol/response.ts": protocolResponse,
  "protocol/verbatim.ts": protocolVerbatim,
};
