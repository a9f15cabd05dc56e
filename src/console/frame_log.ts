/**
 * The frames of the page's connections, as many as fit into memory.
 *
 * @module
 */
import { formatBytes, toVisible } from "./format.ts";

/** The direction of a frame, as the page sees it. */
export type Direction = "sent" | "received";

/** The data of a WebSocket message. */
export type FrameData = string | ArrayBuffer | Uint8Array<ArrayBuffer>;

/** A frame in the log. */
export interface LoggedFrame extends FrameContent {
  /** Unique in the log; counts up. */
  readonly key: number;
  /** The number of the connection. */
  readonly connection: number;
  readonly direction: Direction;
  /** Milliseconds, as `performance.now()` returns them. */
  readonly at: number;
}

/** The content of a frame, without its payload if that is long. */
export interface FrameContent {
  /** The `type` of a JSON frame, `chunk` for a binary frame, `?` if the frame is invalid. */
  readonly type: string;
  /** The id of the exchange. */
  readonly id: number | undefined;
  /** Whether a chunk is the last of its body. */
  readonly fin: boolean;
  /** The characters of a JSON frame, or the payload bytes of a chunk. */
  readonly size: number;
  /** The text of a JSON frame. */
  readonly text: string | undefined;
  /** The first payload bytes of a chunk. */
  readonly bytes: Uint8Array | undefined;
}

/** Selects frames. */
export interface FrameFilter {
  /** `undefined` matches both. */
  readonly direction: Direction | undefined;
  /** `""` matches all types. */
  readonly type: string;
  /** Matches frames whose text or summary contains it, ignoring case. */
  readonly text: string;
}

/** Stores frames. */
export interface FrameLog {
  /** The stored frames, oldest first. */
  readonly frames: readonly LoggedFrame[];
  /** How many frames were removed. */
  readonly dropped: number;
  add(connection: number, direction: Direction, data: FrameData): LoggedFrame;
  clear(): void;
}

const HEAD_BYTES = 5;
const FIN = 1;
const STORED_BYTES = 1024;

// The service and the client write these members first. Other frames are parsed as JSON.
const HEAD = /^\{"type":"([a-z]+)"(?:,"id":(\d+))?/;

/** Creates a {@linkcode FrameLog} that removes its oldest frames when it exceeds a maximum. */
export function createFrameLog({ maxFrames = 30_000, maxSize = 48_000_000, now }: {
  readonly maxFrames?: number;
  /** The approximate sum of the stored characters and bytes. */
  readonly maxSize?: number;
  /** Returns milliseconds, as `performance.now()` does. */
  now(): number;
}): FrameLog {
  let frames: LoggedFrame[] = [];
  let size = 0;
  let nextKey = 0;
  let dropped = 0;

  /** Removes frames in batches: removing single frames from the front would move all others each time. */
  function makeRoom(): void {
    if (frames.length <= maxFrames && size <= maxSize) return;
    let count = 0;
    while (
      count < frames.length - 1 &&
      (frames.length - count > maxFrames * 0.9 || size > maxSize * 0.9)
    ) {
      size -= sizeOf(frames[count++]);
    }
    frames = frames.slice(count);
    dropped += count;
  }

  return {
    get frames(): readonly LoggedFrame[] {
      return frames;
    },
    get dropped(): number {
      return dropped;
    },
    add(connection, direction, data): LoggedFrame {
      const frame = { key: nextKey++, connection, direction, at: now(), ...readFrame(data) };
      frames.push(frame);
      size += sizeOf(frame);
      makeRoom();
      return frame;
    },
    clear(): void {
      dropped += frames.length;
      frames = [];
      size = 0;
    },
  };
}

/** Returns whether a frame matches a filter. */
export function matchesFilter(frame: LoggedFrame, { direction, type, text }: FrameFilter): boolean {
  if (direction !== undefined && frame.direction !== direction) return false;
  if (type !== "" && frame.type !== type) return false;
  if (text === "") return true;
  const lowerCase = text.toLowerCase();
  return summarize(frame).toLowerCase().includes(lowerCase) ||
    frame.text?.toLowerCase().includes(lowerCase) === true;
}

/** Returns a frame as one line of text. */
export function summarize({ text, size, fin }: LoggedFrame): string {
  if (text === undefined) return `${formatBytes(size)} of body${fin ? ", last chunk" : ""}`;
  return toVisible(text, 300);
}

function readFrame(data: FrameData): FrameContent {
  if (typeof data === "string") return readTextFrame(data);
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hasHead = bytes.byteLength >= HEAD_BYTES;
  return {
    type: "chunk",
    id: hasHead ? view.getUint32(0) : undefined,
    fin: hasHead && view.getUint8(HEAD_BYTES - 1) === FIN,
    size: Math.max(0, bytes.byteLength - HEAD_BYTES),
    text: undefined,
    bytes: bytes.slice(HEAD_BYTES, HEAD_BYTES + STORED_BYTES),
  };
}

function readTextFrame(text: string): FrameContent {
  const common = { fin: false, size: text.length, text, bytes: undefined };
  const [, type, id] = HEAD.exec(text) ?? [];
  if (type !== undefined && id !== undefined) return { ...common, type, id: Number(id) };
  try {
    const frame: unknown = JSON.parse(text);
    const { type, id } = (frame ?? {}) as Readonly<Record<string, unknown>>; // reads properties of any value
    return {
      ...common,
      type: typeof type === "string" ? type : "?",
      id: typeof id === "number" ? id : undefined,
    };
  } catch {
    return { ...common, type: "?", id: undefined };
  }
}

function sizeOf(frame: LoggedFrame | undefined): number {
  return frame === undefined ? 0 : 100 + (frame.text?.length ?? frame.bytes?.byteLength ?? 0);
}
