/**
 * Takes gzip off a body (RFC 9110 §8.4.1.3) where its transport has not.
 *
 * @module
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { concat } from "@std/bytes/concat";
import { ProxyError } from "../protocol/mod.ts";
import { tooLarge } from "./fetch/body.ts";
import type { TransportResponse } from "./transport.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Gives the same response with its body decoded: `maxBytes` is of the decoded body then. */
export function gunzipResponse(response: TransportResponse): TransportResponse {
  const chunks = (maxBytes: number): AsyncGenerator<Bytes> => gunzip(response, maxBytes);
  return {
    ...response,
    decoded: true,
    length: undefined,
    isHere: false,
    bytes: async (maxBytes) => concat(await Array.fromAsync(chunks(maxBytes))),
    chunks,
  };
}

/** However small a bomb is, little is decoded before it is asked for. */
async function* gunzip(response: TransportResponse, maxBytes: number): AsyncGenerator<Bytes> {
  const decoder = createGunzip();
  let isEmpty = true;
  let broken: unknown;

  /** A piece is good until the next is asked for, and a stream keeps what it has not written yet. */
  async function* copied(): AsyncGenerator<Bytes> {
    try {
      for await (const piece of response.chunks(Infinity)) {
        isEmpty = false;
        yield piece.slice();
      }
    } catch (thrown) {
      broken = thrown;
      throw thrown;
    }
  }

  pipeline(Readable.from(copied()), decoder).catch(() => {}); // whoever reads is told as well
  try {
    let received = 0;
    // By itself the iterator would wait for a server that says nothing more.
    for await (const chunk of decoder.iterator({ destroyOnReturn: false })) {
      received += chunk.byteLength;
      if (received > maxBytes) throw tooLarge(maxBytes);
      yield new Uint8Array(chunk);
    }
  } catch (thrown) {
    if (broken !== undefined) throw broken;
    if (isEmpty) return; // no byte is no gzip, and fetch takes it for no byte
    throw thrown instanceof ProxyError ? thrown : miscoded(thrown);
  } finally {
    response.discard();
    decoder.destroy();
  }
}

function miscoded(cause: unknown): ProxyError {
  return new ProxyError(
    "http_response_content_coding",
    "The response body is not what its content-encoding says",
    { cause },
  );
}
