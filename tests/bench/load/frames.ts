/**
 * WebSocket frames as bytes (RFC 6455 §5.2): those of a client ready to be sent, those of a server counted.
 *
 * @module
 */

/** Opcodes of frames. */
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** So much of a message is kept to be looked at, unless more is asked for. */
const HEAD_BYTES = 128;

const MASK = [0x37, 0xfa, 0x21, 0x3d];
const FIN = 0x80;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const CONTINUATION = 0;

/** A message of the server. */
export interface Message {
  readonly opcode: number;
  /** The size of its payload. */
  readonly bytes: number;
  /** Its first bytes; the memory is used again for the next message. */
  readonly head: Uint8Array<ArrayBuffer>;
}

/** Gives a whole masked message of a client. */
export function createFrame(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const { length } = payload;
  if (length > 0xffff) throw new RangeError("A request of the benchmark has at most 64 KiB");
  const size = length < LENGTH_16
    ? [MASKED | length]
    : [MASKED | LENGTH_16, length >> 8, length & 255];
  const masked = payload.map((byte, i) => byte ^ (MASK[i % MASK.length] ?? 0));
  return new Uint8Array([FIN | opcode, ...size, ...MASK, ...masked]);
}

/**
 * Creates what takes the bytes of a server as they come, and tells of each message that is complete. No payload
 * is copied but for its head.
 *
 * @param keptBytes The size of the head.
 */
export function createFrameReader(
  onMessage: (message: Message) => void,
  keptBytes = HEAD_BYTES,
): (bytes: Uint8Array) => void {
  const header = new Uint8Array(10);
  const view = new DataView(header.buffer);
  const head = new Uint8Array(keptBytes);
  let headerBytes = 0;
  let headBytes = 0;
  let payloadBytes = 0; // of the message so far
  let missing = -1; // of the frame; -1: its header is not complete
  let opcode = 0;

  function takeHeader(byte: number): void {
    header[headerBytes++] = byte;
    const short = view.getUint8(1) & 127;
    const needed = short === LENGTH_64 ? 10 : short === LENGTH_16 ? 4 : 2;
    if (headerBytes < 2 || headerBytes < needed) return;
    headerBytes = 0;
    const type = view.getUint8(0) & 15;
    if (type !== CONTINUATION) {
      opcode = type;
      headBytes = 0;
      payloadBytes = 0;
    }
    missing = short === LENGTH_64
      ? Number(view.getBigUint64(2))
      : short === LENGTH_16
      ? view.getUint16(2)
      : short;
  }

  function takePayload(bytes: Uint8Array): void {
    if (headBytes < keptBytes) {
      const kept = bytes.subarray(0, keptBytes - headBytes);
      head.set(kept, headBytes);
      headBytes += kept.length;
    }
    payloadBytes += bytes.length;
    missing -= bytes.length;
  }

  return (bytes) => {
    let at = 0;
    while (at < bytes.length) {
      if (missing < 0) takeHeader(bytes[at++] ?? 0);
      if (missing > 0) {
        const part = bytes.subarray(at, at + missing);
        takePayload(part);
        at += part.length;
      }
      if (missing !== 0) continue;
      missing = -1;
      if ((view.getUint8(0) & FIN) === 0) continue;
      onMessage({ opcode, bytes: payloadBytes, head: head.subarray(0, headBytes) });
    }
  };
}
