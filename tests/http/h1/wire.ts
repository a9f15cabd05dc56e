/**
 * A TCP connection in memory, whose segments come cut as a test wants them: the system's would be joined.
 *
 * @module
 */
import type { Tcp } from "../../../src/http/h1/connection.ts";
import { latin1 } from "../../helpers/upstream.ts";

/** One end of a connection. */
export interface Wire extends Tcp {
  /** All that was written, one byte a character. */
  readonly written: () => string;
  readonly isClosed: () => boolean;
  /** Segments that were not read, or not wholly. */
  readonly unread: () => number;
  /** Lets a segment come; `null`: the end. */
  push(segment: string | Uint8Array | null): void;
}

/** Creates a connection to which segments have come. */
export function createWire(...came: readonly (string | null)[]): Wire {
  const segments: (Uint8Array | null)[] = [];
  let written = "";
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => {});
  let isClosed = false;
  let arrived = Promise.withResolvers<void>();

  function push(segment: string | Uint8Array | null): void {
    segments.push(typeof segment === "string" ? latin1(segment) : segment);
    arrived.resolve();
    arrived = Promise.withResolvers();
  }

  came.forEach(push);
  return {
    written: () => written,
    isClosed: () => isClosed,
    unread: () => segments.length,
    push,
    async read(target): Promise<number | null> {
      if (isClosed) throw new Deno.errors.BadResource("Bad resource ID");
      while (segments.length === 0) await Promise.race([arrived.promise, closed.promise]);
      const [first] = segments;
      if (first === null || first === undefined) return null;
      const length = Math.min(first.length, target.length);
      target.set(first.subarray(0, length));
      if (length < first.length) segments[0] = first.subarray(length);
      else segments.shift();
      return length;
    },
    write(bytes): Promise<number> {
      written += new TextDecoder("latin1").decode(bytes);
      return Promise.resolve(bytes.length);
    },
    close(): void {
      isClosed = true;
      closed.reject(new Deno.errors.Interrupted("operation canceled"));
    },
  };
}
