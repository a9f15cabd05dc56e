/**
 * Whether a server's answer has the body that was asked for: of one exchange, byte by byte.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { createClient } from "../../../src/client/mod.ts";
import { createBody } from "../bodies.ts";
import { CHUNK_HEAD_BYTES, createRequest } from "./answers.ts";
import { createFrameReader, type Message, TEXT } from "./frames.ts";
import type { LoadJob } from "./job.ts";
import { openSocket, type Socket } from "./socket.ts";

const ANSWER_MS = 10_000;
const READ_BYTES = 65_536;
// Of a message: the largest body as text, and what stands around it.
const KEPT_BYTES = 4 * 1024 * 1024;

type What = Pick<LoadJob, "dialect" | "port" | "target" | "bodyBytes">;

/** Makes an exchange on a connection of its own; `false`: another body came, or none in time. */
export async function hasRightBody(what: What): Promise<boolean> {
  try {
    return await ask(what, AbortSignal.timeout(ANSWER_MS)) === createBody(what.bodyBytes);
  } catch {
    return false; // the load that follows says more
  }
}

async function ask(what: What, signal: AbortSignal): Promise<string> {
  const { dialect, port, target } = what;
  if (dialect === "fetch") return await (await fetch(target, { signal })).text();
  if (dialect === "client") {
    await using client = createClient(`ws://127.0.0.1:${port}/ws`);
    return await (await client.fetch(target, { signal })).text();
  }
  if (dialect !== "http") return await converse(what, signal);
  const { pathname } = new URL(target);
  return await (await fetch(`http://127.0.0.1:${port}${pathname}`, { signal })).text();
}

async function converse(what: What, signal: AbortSignal): Promise<string> {
  using socket = await openSocket(what);
  const late = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => late.reject(signal.reason));
  return await Promise.race([readBody(what, socket), late.promise]);
}

async function readBody(what: What, socket: Socket): Promise<string> {
  let whole: string | undefined;
  const take = createTaker(what, (body) => whole = body);
  const read = createFrameReader(take, KEPT_BYTES);
  const buffer = new Uint8Array(READ_BYTES);
  read(socket.rest);
  await socket.write(createRequest(what, 0));
  while (whole === undefined) {
    const length = await socket.read(buffer);
    if (length === null) throw new Error("The server has ended the connection");
    read(buffer.subarray(0, length));
  }
  return whole;
}

/** Takes the messages of one exchange. */
function createTaker(
  { dialect, bodyBytes }: What,
  onBody: (body: string) => void,
): (message: Message) => void {
  const decoder = new TextDecoder();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let received = 0;
  return ({ opcode, head }) => {
    if (opcode === TEXT) {
      const body = toBody(JSON.parse(decoder.decode(head)));
      if (body !== undefined) onBody(body);
      return;
    }
    const chunk = head.slice(dialect === "v1-streamed" ? CHUNK_HEAD_BYTES : 0);
    chunks.push(chunk);
    received += chunk.length;
    if (received >= bodyBytes) onBody(decoder.decode(concat(chunks)));
  };
}

/** The body of an answer as text, which JSON may have become a value; `undefined`: there is none in this message. */
function toBody(
  { body, json, content, text }: Readonly<Record<string, unknown>>,
): string | undefined {
  const found = body ?? json ?? content ?? text;
  return typeof found === "string" || found === undefined ? found : JSON.stringify(found);
}
