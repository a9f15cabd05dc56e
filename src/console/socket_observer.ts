/**
 * Observes the frames of a WebSocket.
 *
 * @module
 */
import type { ClientWebSocket, WebSocketEvent } from "../client/socket.ts";
import type { Direction, FrameData } from "./frame_log.ts";

/** Returns a WebSocket that calls `frame` before each frame is sent or delivered, and `closed` when it closes. */
export function observeSocket(
  socket: ClientWebSocket,
  { frame, closed }: {
    frame(direction: Direction, data: FrameData): void;
    /** @param event.wasOpen Whether the handshake was accepted. */
    closed(
      event: { readonly code: number; readonly reason: string; readonly wasOpen: boolean },
    ): void;
  },
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
