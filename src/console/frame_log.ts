/**
 * Every frame that went over the page's connections, as many as fit.
 *
 * @module
 */
import { formatBytes, toVisible } from "./format.ts";

/** Which way a frame went. */
export type Direction = "sent" | "received";

/** A frame that went over a connection. */
export interface LoggedFrame {
  /** Counts all frames. */
  readonly key: number;
  /** Counts the page's connections. */
  readonly connection: number;
  readonly direction: Direction;
  /** Milliseconds, by the clock of `performance.now()`. */
  readonly at: number;
  /** As the frame says; `chunk` for a binary one. */
  readonly type: string;
  /** Of the exchange. */
  readonly id: number | undefined;
  /** Of a chunk: it is the last. */
  readonly fin: boolean;
  /** Characters, or payload bytes of a chunk. */
  readonly size: number;
  /** `undefined` for a chunk. */
  readonly text: string | undefined;
  /** Of a chunk: how its payload begins. */
  readonly bytes: Uint8Array | undefined;
}

/** Which frames are wanted. */
export interface FrameFilter {
  /** `undefined`: both. */
  readonly direction: Direction | undefined;
  /** `""`: all. */
  readonly type: string;
  /** Stands in the frame or its summary, in any case. */
  readonly text: string;
}

/** What went over a connection. */
export type Message = string | ArrayBuffer | Uint8Array<ArrayBuffer>;

/** Keeps frames. */
export interface FrameLog {
  /** Oldest first. */
  readonly frames: readonly LoggedFrame[];
  /** How many were let go. */
  readonly dropped: number;
  add(connection: number, direction: Direction, message: Message): LoggedFrame;
  clear(): void;
}

/** How much a log keeps. */
export interface FrameLogOptions {
  readonly maxFrames?: number;
  readonly maxSize?: number;
}

const HEAD_BYTES = 5;
const FIN = 1;
const KEPT_BYTES = 1024;

// The service and this page write these two first; whoever does not is parsed.
const HEAD = /^\{"type":"([a-z]+)"(?:,"id":(\d+))?/;

/** Creates a {@linkcode FrameLog}. */
export function createFrameLog(
  { maxFrames = 30_000, maxSize = 48_000_000 }: FrameLogOptions,
  { now }: { now(): number },
): FrameLog {
  let frames: LoggedFrame[] = [];
  let size = 0;
  let next = 0;
  let dropped = 0;

  /** In batches: taking one at a time from the front would move all the others. */
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
    add(connection, direction, message): LoggedFrame {
      const frame = { key: next++, connection, direction, at: now(), ...describe(message) };
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

/** Says whether a frame is wanted. */
export function matchesFilter(frame: LoggedFrame, { direction, type, text }: FrameFilter): boolean {
  if (direction !== undefined && frame.direction !== direction) return false;
  if (type !== "" && frame.type !== type) return false;
  if (text === "") return true;
  const wanted = text.toLowerCase();
  return summarize(frame).toLowerCase().includes(wanted) ||
    frame.text?.toLowerCase().includes(wanted) === true;
}

/** Gives what a frame is, in a line. */
export function summarize({ text, size, fin }: LoggedFrame): string {
  if (text === undefined) return `${formatBytes(size)} of body${fin ? ", the last" : ""}`;
  return toVisible(text, 300);
}

type Described = Pick<LoggedFrame, "type" | "id" | "fin" | "size" | "text" | "bytes">;

function describe(message: Message): Described {
  if (typeof message === "string") return describeText(message);
  const bytes = message instanceof Uint8Array ? message : new Uint8Array(message);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hasHead = bytes.byteLength >= HEAD_BYTES;
  return {
    type: "chunk",
    id: hasHead ? view.getUint32(0) : undefined,
    fin: hasHead && view.getUint8(HEAD_BYTES - 1) === FIN,
    size: Math.max(0, bytes.byteLength - HEAD_BYTES),
    text: undefined,
    bytes: bytes.slice(HEAD_BYTES, HEAD_BYTES + KEPT_BYTES),
  };
}

function describeText(text: string): Described {
  const common = { fin: false, size: text.length, text, bytes: undefined };
  const [, type, id] = HEAD.exec(text) ?? [];
  if (type !== undefined && id !== undefined) return { ...common, type, id: Number(id) };
  try {
    const frame: unknown = JSON.parse(text);
    const { type, id } = (frame ?? {}) as Readonly<Record<string, unknown>>; // of any value
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
