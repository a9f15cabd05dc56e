/**
 * The credit of an exchange, worked out from its frames as both ends do it.
 *
 * @module
 */
import type { LoggedFrame } from "./frame_log.ts";

/** Payload bytes that went one way in chunks, and that may still go. */
export interface Flow {
  readonly movedBytes: number;
  readonly grantedBytes: number;
  /** `undefined`: no credit is needed. */
  readonly creditBytes: number | undefined;
}

/** Follows an exchange. */
export interface FlowMeter {
  /** Takes the next frame of the exchange. */
  add(frame: LoggedFrame): void;
  readonly download: Flow;
  /** `undefined`: the request's body was in its frame. */
  readonly upload: Flow | undefined;
}

interface Count {
  windowBytes: number | undefined;
  movedBytes: number;
  grantedBytes: number;
}

/**
 * Creates a {@linkcode FlowMeter}.
 *
 * @param uploadWindowBytes What `hello` said that every upload starts with.
 */
export function createFlowMeter(uploadWindowBytes: number | undefined): FlowMeter {
  const download: Count = { windowBytes: undefined, movedBytes: 0, grantedBytes: 0 };
  const upload: Count = { windowBytes: uploadWindowBytes, movedBytes: 0, grantedBytes: 0 };
  let isUpload = false;
  return {
    add(frame): void {
      const isSent = frame.direction === "sent";
      if (frame.type === "chunk") (isSent ? upload : download).movedBytes += frame.size;
      // Grants go against the chunks.
      if (frame.type === "grant") {
        (isSent ? download : upload).grantedBytes += Number(parse(frame).bytes) || 0;
      }
      if (frame.type === "request") {
        const { windowBytes, bodyFollows } = parse(frame);
        isUpload = bodyFollows === true;
        download.windowBytes = typeof windowBytes === "number" ? windowBytes : undefined;
      }
    },
    get download(): Flow {
      return toFlow(download);
    },
    get upload(): Flow | undefined {
      return isUpload ? toFlow(upload) : undefined;
    },
  };
}

function toFlow({ windowBytes, movedBytes, grantedBytes }: Count): Flow {
  const creditBytes = windowBytes === undefined
    ? undefined
    : windowBytes + grantedBytes - movedBytes;
  return { movedBytes, grantedBytes, creditBytes };
}

function parse(frame: LoggedFrame): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(frame.text ?? "{}");
  } catch {
    return {}; // no frame of the protocol
  }
}
