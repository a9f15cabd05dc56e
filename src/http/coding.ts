/**
 * Content codings (RFC 9110 §8.4): which one is taken off a body, and how.
 *
 * @module
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { type HeaderPairs, ProxyError } from "../protocol/mod.ts";
import { type Body, type Bytes, mapBody } from "./body.ts";
import { miscoded } from "./failures.ts";
import { findField } from "./grammar.ts";

/** A content coding that can be taken off a body. */
export type Coding = "gzip" | "br";

/**
 * Returns the content coding that is taken off a body, as `fetch` does: gzip and br, each alone, but not after a
 * request with `range` or whose first `accept-encoding` is `identity`. Of several `content-encoding` fields
 * `fetch` decodes the first, which cannot be told from one field with a list.
 */
export function contentCoding(request: HeaderPairs, response: HeaderPairs): Coding | undefined {
  const coding = findField(response, "content-encoding")?.toLowerCase();
  if (coding !== "gzip" && coding !== "br") return undefined;
  if (response.filter(([name]) => name === "content-encoding").length > 1) return undefined;
  const field = (wanted: string) => request.find(([name]) => name.toLowerCase() === wanted)?.[1];
  const isLeft = field("range") !== undefined ||
    field("accept-encoding")?.trim().toLowerCase() === "identity";
  return isLeft ? undefined : coding;
}

/** Reports whether a request accepts `br` (RFC 9110 §12.5.3) by its own fields. */
export function asksForBrotli(request: HeaderPairs): boolean {
  return request.some(([name, value]) =>
    name.length === "accept-encoding".length && name.toLowerCase() === "accept-encoding" &&
    /(?:^|[\s,])br(?:$|[\s,;])/i.test(value)
  );
}

/** Returns the body without its gzip coding (RFC 9110 §8.4.1.3). */
export function gunzipBody(body: Body): Body {
  return mapBody(body, { chunks: (chunks) => gunzip(chunks, () => body.discard()) });
}

/** However much a small body expands to, little is decoded before it is asked for. */
async function* gunzip(chunks: AsyncIterable<Bytes>, discard: () => void): AsyncGenerator<Bytes> {
  const decoder = createGunzip();
  let isEmpty = true;
  let broken: unknown;

  /** A chunk is valid until the next is asked for, and a stream keeps what it has not written yet. */
  async function* copied(): AsyncGenerator<Bytes> {
    try {
      for await (const chunk of chunks) {
        isEmpty = false;
        yield chunk.slice();
      }
    } catch (thrown) {
      broken = thrown;
      throw thrown;
    }
  }

  pipeline(Readable.from(copied()), decoder).catch(() => {}); // the reader is told as well
  try {
    // By itself the iterator would wait for a server that sends nothing more.
    for await (const chunk of decoder.iterator({ destroyOnReturn: false })) {
      yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
  } catch (thrown) {
    if (broken !== undefined) throw broken;
    if (isEmpty) return; // no byte is no gzip, and fetch takes it for an empty body
    throw thrown instanceof ProxyError ? thrown : miscoded(thrown);
  } finally {
    discard();
    decoder.destroy();
  }
}
