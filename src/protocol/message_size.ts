/**
 * The size of a WebSocket message.
 *
 * @module
 */

// Of one UTF-16 unit in UTF-8. The bytes of a text that is short enough anyway need not be counted.
const MAX_BYTES_PER_UNIT = 3;

/** Returns the bytes of a binary message, and the UTF-16 units of a text: at least a third of its bytes. */
export function sizeOfMessage(data: string | ArrayBuffer): number {
  return typeof data === "string" ? data.length : data.byteLength;
}

/** Reports whether a message has more bytes than allowed. The bytes of a text are those of its UTF-8. */
export function isLarger(data: string | ArrayBuffer, maxBytes: number): boolean {
  const size = sizeOfMessage(data);
  if (typeof data !== "string" || size > maxBytes) return size > maxBytes;
  if (size * MAX_BYTES_PER_UNIT <= maxBytes) return false;
  return new TextEncoder().encode(data).byteLength > maxBytes;
}
