/**
 * Computes the credit of an exchange from its frames.
 *
 * @module
 */
import type { LoggedFrame } from "./frame_log.ts";

/** The payload bytes of one direction. */
export interface CreditCount {
  readonly movedBytes: number;
  readonly grantedBytes: number;
  /** How many bytes may still be sent; `undefined` if that is not limited. */
  readonly creditBytes: number | undefined;
}

/** Counts the credit of one exchange. */
export interface CreditMeter {
  /** Counts the next frame of the exchange. */
  add(frame: LoggedFrame): void;
  readonly download: CreditCount;
  /** `undefined` if the request body was in the request frame. */
  readonly upload: CreditCount | undefined;
}

interface ByteCounts {
  windowBytes: number | undefined;
  movedBytes: number;
  grantedBytes: number;
}

/**
 * Creates a {@linkcode CreditMeter}.
 *
 * @param uploadWindowBytes The credit of every upload, as announced in `hello`.
 */
export function createCreditMeter(uploadWindowBytes: number | undefined): CreditMeter {
  const download: ByteCounts = { windowBytes: undefined, movedBytes: 0, grantedBytes: 0 };
  const upload: ByteCounts = { windowBytes: uploadWindowBytes, movedBytes: 0, grantedBytes: 0 };
  let isUpload = false;
  return {
    add(frame): void {
      const isSent = frame.direction === "sent";
      if (frame.type === "chunk") (isSent ? upload : download).movedBytes += frame.size;
      // A grant has the opposite direction of the chunks that it allows.
      if (frame.type === "grant") {
        (isSent ? download : upload).grantedBytes += Number(parse(frame).bytes) || 0;
      }
      if (frame.type === "request") {
        const { windowBytes, bodyFollows } = parse(frame);
        isUpload = bodyFollows === true;
        download.windowBytes = typeof windowBytes === "number" ? windowBytes : undefined;
      }
    },
    get download(): CreditCount {
      return toCreditCount(download);
    },
    get upload(): CreditCount | undefined {
      return isUpload ? toCreditCount(upload) : undefined;
    },
  };
}

function toCreditCount({ windowBytes, movedBytes, grantedBytes }: ByteCounts): CreditCount {
  const creditBytes = windowBytes === undefined
    ? undefined
    : windowBytes + grantedBytes - movedBytes;
  return { movedBytes, grantedBytes, creditBytes };
}

function parse(frame: LoggedFrame): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(frame.text ?? "{}");
  } catch {
    return {}; // an invalid frame has no members
  }
}
