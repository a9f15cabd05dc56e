import { assertEquals, assertThrows } from "@std/assert";
import { decodeResponse, encodeRequest, ProxyError } from "../../src/protocol/mod.ts";

const BYTES = Uint8Array.from({ length: 20_000 }, (_, at) => at % 256);
const REQUEST = { method: "POST", url: new URL("http://a.example/"), headers: [], body: BYTES };

function toResponseText(base64: string): string {
  return JSON.stringify({
    type: "response",
    id: 1,
    status: 200,
    statusText: "",
    url: "http://a.example/",
    redirected: false,
    headers: [],
    timing: { waitMs: 1, totalMs: 1 },
    base64,
  });
}

/** Runs a test without the base64 methods of Uint8Array, as on Node.js before 25. */
function withoutBase64(test: () => void): void {
  const from = Object.getOwnPropertyDescriptor(Uint8Array, "fromBase64");
  const to = Object.getOwnPropertyDescriptor(Uint8Array.prototype, "toBase64");
  if (from === undefined || to === undefined) throw new Error("The platform has no base64");
  Reflect.deleteProperty(Uint8Array, "fromBase64");
  Reflect.deleteProperty(Uint8Array.prototype, "toBase64");
  try {
    test();
  } finally {
    Object.defineProperty(Uint8Array, "fromBase64", from);
    Object.defineProperty(Uint8Array.prototype, "toBase64", to);
  }
}

Deno.test("encodeRequest() and decodeResponse() work without the base64 methods of Uint8Array", () => {
  const frame = encodeRequest(1, REQUEST);
  const base64 = BYTES.toBase64();
  withoutBase64(() => {
    assertEquals(encodeRequest(1, REQUEST), frame);
    assertEquals(decodeResponse(toResponseText(base64)).response.body, BYTES);
    const error = assertThrows(() => decodeResponse(toResponseText("*")), ProxyError);
    assertEquals(error.code, "bad_frame");
  });
});
