/**
 * Responds to WebSocket handshakes: refuses them before the upgrade, or accepts them.
 *
 * @module
 */
import { acceptHandshake, type ClientSocketDeps } from "./client_socket.ts";
import type { Gate } from "./gate.ts";
import { selectSubprotocol } from "./handshake.ts";
import { isRefusal, type Refusal } from "./refusal.ts";
import type { Handler } from "./router.ts";

// The client does not receive it; the log does.
const GONE: Refusal = {
  code: "bad_handshake",
  message: "The client disconnected before it was admitted",
};

/**
 * Creates the handler of `/ws`.
 *
 * @param mayWait Whether an admission may wait for another server, so that the client may disconnect meanwhile.
 */
export function createUpgrade(
  gate: Gate,
  sockets: ClientSocketDeps,
  { mayWait }: { readonly mayWait: boolean },
): Handler {
  return async function upgrade(request, info): Promise<Response> {
    const { headers } = request;
    const address = gate.addressOf(request, info);
    const refusal = gate.findRefusal(request, true);
    if (refusal !== undefined) return gate.refuse(refusal, address);
    // The signal misses a disconnect before its first read, and Deno prints a warning at that read.
    const signal = mayWait ? request.signal : undefined;
    const admitted = await gate.admit(headers, address);
    if (isRefusal(admitted)) return gate.refuse(admitted, address);
    using stack = new DisposableStack();
    stack.use(admitted.lease);
    const delayMs = gate.toDelayMs(admitted);
    if (delayMs > 0) await new Promise<void>((resolve) => sockets.clock.after(delayMs, resolve));
    const place = gate.takePlace();
    if (isRefusal(place)) return gate.refuse(place, address);
    stack.use(place);
    if (signal?.aborted) return gate.refuse(GONE, address); // its WebSocket would have no event, not even `close`
    const subprotocol = selectSubprotocol(headers);
    const response = acceptHandshake(
      request,
      { ...admitted, address, subprotocol, place },
      sockets,
    );
    stack.move(); // the socket gives the places back
    return response;
  };
}
