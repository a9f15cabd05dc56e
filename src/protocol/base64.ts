/**
 * Base64 (RFC 4648 §4) on every runtime: Node.js has `Uint8Array.fromBase64` since version 25, browsers since
 * 2025; older runtimes use `btoa` and `atob`.
 *
 * @module
 */

/** Returns bytes in base64, with padding. */
export function toBase64(bytes: Uint8Array): string {
  if (typeof bytes.toBase64 === "function") return bytes.toBase64();
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(binary);
}

/**
 * Returns the bytes that a base64 text stands for.
 *
 * @throws {SyntaxError | DOMException} The text is not base64.
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  if (typeof Uint8Array.fromBase64 === "function") return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
