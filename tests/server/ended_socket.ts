/**
 * A process that opens one WebSocket, ends its TCP connection when it is told to, and says when that has ended: its memory
 * is nobody else's. The tests of `endTcp()` run it.
 *
 * @module
 */
import { endTcp } from "../../src/server/websocket_internals.ts";

// deno-lint-ignore no-console -- its output is read
const say = (what: unknown): void => console.log(JSON.stringify(what));

const opened = Promise.withResolvers<WebSocket>();
const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.addEventListener("open", () => opened.resolve(socket));
  return response;
});
say(server.addr.port);
await Deno.stdin.read(new Uint8Array(1));
endTcp(await opened.promise, () => say("ended"));
