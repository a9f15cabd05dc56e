/**
 * A TCP connection in memory whose segments arrive exactly as a test cuts them, while a real one may join them.
 *
 * @module
 */
import type { Tcp } from "../../../src/http/h1/connection.ts";
import { latin1 } from "../../helpers/upstream.ts";

/** The client's end of a connection. */
export interface Wire extends Tcp {
  /** Returns everything that was written, one character per byte. */
  readonly written: () => string;
  readonly isClosed: () => boolean;
  /** Returns the number of segments that have not been read completely. */
  readonly unread: () => number;
  /** Lets a segment arrive; `null`: the end. */
  push(segment: string | Uint8Array | null): void;
}

/** Creates a connection on which these segments have arrived. */
export function createWire(...arrived: readonly (string | null)[]): Wire {
  const segments: (Uint8Array | null)[] = [];
  let written = "";
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => {});
  let isClosed = false;
  let more = Promise.withResolvers<void>();

  function push(segment: string | Uint8Array | null): void {
    segments.push(typeof segment === "string" ? latin1(segment) : segment);
    more.resolve();
    more = Promise.withResolvers();
  }

  arrived.forEach(push);
  return {
    written: () => written,
    isClosed: () => isClosed,
    unread: () => segments.length,
    push,
    async read(target): Promise<number | null> {
      if (isClosed) throw new Deno.errors.BadResource("Bad resource ID");
      while (segments.length === 0) await Promise.race([more.promise, closed.promise]);
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
