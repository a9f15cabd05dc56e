/**
 * Content codings (RFC 9110 §8.4): which coding is decoded, and how.
 *
 * @module
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createInflate } from "node:zlib";
import { type HeaderPairs, ProxyError } from "../protocol/mod.ts";
import { type Body, type Bytes, mapChunks } from "./body.ts";
import { miscoded } from "./failures.ts";
import { findField, trimOws } from "./grammar.ts";

/** A content coding that can be decoded. */
export type Coding = "gzip" | "br";

/**
 * Returns the content coding of a response that is to be decoded, as `fetch` does: gzip or br alone. After a request
 * with `range`, or whose first `accept-encoding` is `identity`, bodies stay coded. Of several `content-encoding` fields
 * `fetch` decodes the first; they cannot be told from one field with a list, for which this returns `undefined`.
 *
 * @param request The fields of the request, in any case.
 * @param response The fields of the response, in lower case.
 */
export function contentCoding(request: HeaderPairs, response: HeaderPairs): Coding | undefined {
  const coding = findField(response, "content-encoding")?.toLowerCase();
  if (coding !== "gzip" && coding !== "br") return undefined;
  if (response.filter(([name]) => name === "content-encoding").length > 1) return undefined;
  const field = (wanted: string) => request.find(([name]) => name.toLowerCase() === wanted)?.[1];
  const staysCoded = field("range") !== undefined ||
    trimOws(field("accept-encoding") ?? "").toLowerCase() === "identity";
  return staysCoded ? undefined : coding;
}

/** Reports whether the fields of a request accept `br` (RFC 9110 §12.5.3). */
export function asksForBrotli(request: HeaderPairs): boolean {
  return request.some(([name, value]) =>
    name.length === "accept-encoding".length && name.toLowerCase() === "accept-encoding" &&
    /(?:^|[\t ,])br(?:$|[\t ,;])/i.test(value)
  );
}

/** Returns a body with its gzip coding (RFC 9110 §8.4.1.3) decoded. */
export function gunzipBody(body: Body): Body {
  return decodeCodings(body, ["gzip"]);
}

/** Returns a body without its codings, which are given in the order in which they were applied. */
export function decodeCodings(body: Body, codings: readonly ("gzip" | "deflate")[]): Body {
  return codings.reduceRight(
    (coded, coding) => mapChunks(coded, (chunks) => decode(chunks, coded, coding)),
    body,
  );
}

/** Decodes little more than is requested, however much a small body expands to. */
async function* decode(
  chunks: AsyncIterable<Bytes>,
  body: Body,
  coding: "gzip" | "deflate",
): AsyncGenerator<Bytes> {
  const decoder = coding === "gzip" ? createGunzip() : createInflate();
  let isEmpty = true;
  let failure: unknown;

  /** A chunk is valid until the next is requested, but a stream keeps those that it has not written yet. */
  async function* copied(): AsyncGenerator<Bytes> {
    try {
      for await (const chunk of chunks) {
        isEmpty = false;
        yield chunk.slice();
      }
    } catch (thrown) {
      failure = thrown;
      throw thrown;
    }
  }

  pipeline(Readable.from(copied()), decoder).catch(() => {}); // the iteration below throws it as well
  try {
    for await (const chunk of decoder) {
      yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
  } catch (thrown) {
    if (failure !== undefined) throw failure;
    if (isEmpty) return; // not valid gzip, but fetch takes it for an empty body
    throw thrown instanceof ProxyError ? thrown : miscoded({ cause: thrown });
  } finally {
    body.discard();
  }
}
