/**
 * What each dialect sends for an exchange, and how its answers are told from each other.
 *
 * @module
 */
import { BINARY, CLOSE, createFrame, createFrameReader, PING, PONG, TEXT } from "./frames.ts";
import type { Message } from "./frames.ts";
import { createHttpRequest, createResponseReader } from "./http.ts";
import type { Dialect, LoadJob } from "./job.ts";

const FLAGS_AT = 4; // of a chunk: behind its id
/** In front of the payload of a chunk. */
export const CHUNK_HEAD_BYTES = 5;
const FIN = 1;

/** Takes what has come. Exchanges are counted from 0. */
export interface AnswerHandler {
  /** An exchange is complete; it has failed if it says so, or if the size of its body cannot be right. */
  answered(exchange: number, failed: boolean): void;
  /** Bytes that the server wants back. */
  pinged(pong: Uint8Array<ArrayBuffer>): void;
}

type What = Pick<LoadJob, "dialect" | "target" | "bodyBytes">;

/** Gives the bytes that ask for an exchange. */
export function createRequest(
  { dialect, target }: What,
  exchange: number,
): Uint8Array<ArrayBuffer> {
  if (dialect === "http") return createHttpRequest(target);
  return createFrame(
    TEXT,
    new TextEncoder().encode(JSON.stringify(
      toRequest(dialect, { id: exchange + 1, url: target }),
    )),
  );
}

/** Creates what takes the bytes that come back on a connection. */
export function createAnswerReader(
  what: What,
  handler: AnswerHandler,
): (bytes: Uint8Array) => void {
  if (what.dialect === "http") {
    return createResponseReader((status, bytes) =>
      handler.answered(0, status !== 200 || bytes !== what.bodyBytes)
    );
  }
  const take = createTaker(what, handler);
  return createFrameReader((message) => {
    if (message.opcode === TEXT || message.opcode === BINARY) return take(message);
    if (message.opcode === PING) handler.pinged(createFrame(PONG, message.head));
    if (message.opcode === CLOSE) throw new Error("The server closes the connection");
  });
}

function toRequest(dialect: Dialect, { id, url }: { id: number; url: string }): object {
  if (dialect === "v1") return { type: "request", id, url };
  if (dialect === "v1-streamed") return { type: "request", id, url, stream: true };
  return { id, url, method: "GET", ...(dialect === "raw-streamed" && { stream: true }) };
}

function createTaker(
  { dialect, bodyBytes }: What,
  { answered }: AnswerHandler,
): (message: Message) => void {
  let received = 0; // of bare chunks
  const streamed: number[] = []; // by exchange
  return ({ opcode, bytes, head }) => {
    if (opcode === TEXT) {
      const { exchange, failed } = readHead(head);
      if (exchange < 0) return; // hello
      streamed[exchange] = 0;
      // A small streamed body that has come with its head is in the response frame (PROTOCOL.md).
      const follows = dialect === "v1-streamed" && bytes < bodyBytes;
      if (failed || !follows) answered(exchange, failed || bytes < bodyBytes);
    } else if (dialect === "v1-streamed") {
      const view = new DataView(head.buffer);
      const exchange = view.getUint32(0) - 1;
      const total = (streamed[exchange] ?? 0) + bytes - CHUNK_HEAD_BYTES;
      const isLast = (view.getUint8(FLAGS_AT) & FIN) !== 0;
      streamed[exchange] = isLast ? 0 : total;
      if (isLast) answered(exchange, total !== bodyBytes);
    } else {
      // Bare chunks do not say whose they are: there is one exchange at a time.
      received += bytes;
      if (received < bodyBytes) return;
      answered(0, received > bodyBytes);
      received = 0;
    }
  };
}

const decoder = new TextDecoder();

function readHead(head: Uint8Array): { readonly exchange: number; readonly failed: boolean } {
  const text = decoder.decode(head);
  return {
    exchange: Number(/"id": ?(\d+)/.exec(text)?.[1] ?? 0) - 1,
    failed: !/"status(?:_code)?": ?200\b/.test(text),
  };
}
