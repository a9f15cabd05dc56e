import { assertThrows } from "@std/assert";
import { createClient } from "../../src/client/mod.ts";

Deno.test("createClient() refuses a platform without WebSocket unless a class is passed", () => {
  const { WebSocket } = globalThis;
  Reflect.deleteProperty(globalThis, "WebSocket");
  try {
    assertThrows(() => createClient("wss://proxy.example/ws"), TypeError, "WebSocket");
    createClient("wss://proxy.example/ws", { WebSocket });
  } finally {
    globalThis.WebSocket = WebSocket;
  }
});
