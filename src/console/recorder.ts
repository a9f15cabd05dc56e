/**
 * A WebSocket whose frames are told before anybody else sees them.
 *
 * @module
 */
import type { ClientWebSocket, WebSocketEvent } from "../client/socket.ts";
import type { Direction, Message } from "./frame_log.ts";

/** Who is told. */
export interface RecorderDeps {
  frame(direction: Direction, message: Message): void;
  /** @param wasOpen The handshake had been accepted. */
  closed(
    event: { readonly code: number; readonly reason: string; readonly wasOpen: boolean },
  ): void;
}

/** Gives the same WebSocket with its frames told. */
export function recordSocket(
  socket: ClientWebSocket,
  { frame, closed }: RecorderDeps,
): ClientWebSocket {
  let wasOpen = false;
  socket.addEventListener("open", () => wasOpen = true);
  socket.addEventListener("message", ({ data }: WebSocketEvent) => {
    if (typeof data === "string" || data instanceof ArrayBuffer) frame("received", data);
  });
  socket.addEventListener("close", ({ code = 1006, reason = "" }) => {
    closed({ code, reason, wasOpen });
  });
  return {
    get binaryType(): string {
      return socket.binaryType;
    },
    set binaryType(type: string) {
      socket.binaryType = type;
    },
    get readyState(): number {
      return socket.readyState;
    },
    send(data): void {
      frame("sent", data);
      socket.send(data);
    },
    close: (code, reason) => socket.close(code, reason),
    addEventListener: (type, listener) => socket.addEventListener(type, listener),
  };
}
