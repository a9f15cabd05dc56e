/**
 * The kinds of exchanges of a soak. Each body carries the mark of its exchange, so that none is taken for another.
 *
 * @module
 */
import { encodeChunk } from "../../../src/protocol/mod.ts";
import type { Frame } from "../../helpers/client.ts";
import type { Talk } from "./conversation.ts";

const PATTERN_BYTES = 4;
const BODY_BYTES = 200_000;
const CHUNK_BYTES = 20_000;
const WINDOW_BYTES = 65_536;
const EVENTS = 20;
const TIMEOUT_MS = 30;

/** The server of a soak: answers by the path and the mark of a request. */
export async function answerSoak(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const mark = Number(searchParams.get("mark"));
  switch (pathname) {
    case "/echo":
      return new Response(await request.arrayBuffer().catch(() => null)); // its client has left
    case "/body":
      return new Response(patternOf(mark, BODY_BYTES));
    case "/redirect":
      return Response.redirect(new URL(`/json?mark=${mark}`, request.url));
    case "/events": {
      const events = Array.from({ length: EVENTS }, (_, i) => `data: ${mark}:${i}\n\n`);
      return new Response(events.join(""), { headers: { "content-type": "text/event-stream" } });
    }
    case "/silent":
      await untilAborted(request.signal); // a handler without an end would keep its descriptor
      return new Response();
    default:
      return Response.json({ mark });
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** What an exchange works with. */
export interface SoakExchange {
  readonly talk: Talk;
  readonly origin: string;
  /** Different for each exchange of the soak. */
  readonly mark: number;
}

/** Makes an exchange. Throws if it was not answered as it has to be. */
export type SoakKind = (exchange: SoakExchange) => Promise<void>;

/** By name. */
export const SOAK_KINDS: Readonly<Record<string, SoakKind>> = {
  async json(exchange): Promise<void> {
    checkMark(exchange, await ask(exchange, "/json"));
  },
  async redirect(exchange): Promise<void> {
    checkMark(exchange, await ask(exchange, "/redirect"));
  },
  async echo(exchange): Promise<void> {
    const text = `${exchange.mark} `.repeat(500);
    const frame = await ask(exchange, "/echo", { method: "POST", text });
    check(frame.text === text, frame);
  },
  async download(exchange): Promise<void> {
    const members = { stream: true, windowBytes: WINDOW_BYTES };
    const head = await ask(exchange, "/body", members);
    check(head.stream === true, head);
    await takeBody(exchange, BODY_BYTES);
  },
  async "upload and download"(exchange): Promise<void> {
    const { talk, mark } = exchange;
    send(exchange, "/echo", { method: "PUT", bodyFollows: true, stream: true });
    for (let at = 0; at < BODY_BYTES; at += CHUNK_BYTES) {
      const fin = at + CHUNK_BYTES >= BODY_BYTES;
      talk.send(encodeChunk({ id: talk.id, fin, payload: patternOf(mark, CHUNK_BYTES) }));
    }
    let head: Frame = await talk.next();
    while (head.type === "grant") head = await talk.next();
    check(head.type === "response" && head.stream === true, head);
    await takeBody(exchange, BODY_BYTES);
  },
  async events(exchange): Promise<void> {
    const { talk, mark } = exchange;
    const head = await ask(exchange, "/events", { stream: "events" });
    check(head.stream === true, head);
    for (let i = 0; i < EVENTS; i++) {
      const event = await talk.next();
      check(event.data === `${mark}:${i}`, event);
    }
    const end = await talk.next();
    check(end.type === "end", end);
  },
  async "bad request"(exchange): Promise<void> {
    const frame = await ask(exchange, "/json", { unknown: true });
    check(frame.code === "bad_request", frame);
  },
  async "prohibited address"(exchange): Promise<void> {
    const { talk } = exchange;
    talk.send({ type: "request", id: talk.id, url: "http://10.0.0.1/" });
    const frame = await talk.next();
    check(frame.code === "destination_ip_prohibited", frame);
  },
  async timeout(exchange): Promise<void> {
    const frame = await ask(exchange, "/silent", { timeoutMs: TIMEOUT_MS });
    // On a busy machine the time may be over before there is a connection.
    check(["http_response_timeout", "connection_timeout"].includes(frame.code), frame);
  },
  cancel(exchange): Promise<void> {
    send(exchange, "/silent");
    exchange.talk.cancel();
    return Promise.resolve();
  },
  async "cancelled download"(exchange): Promise<void> {
    const head = await ask(exchange, "/body", { stream: true, windowBytes: 1000 });
    exchange.talk.cancel();
    check(head.stream === true, head);
  },
};

function send({ talk, origin, mark }: SoakExchange, path: string, members: object = {}): void {
  talk.send({ type: "request", id: talk.id, url: `${origin}${path}?mark=${mark}`, ...members });
}

async function ask(exchange: SoakExchange, path: string, members: object = {}): Promise<Frame> {
  send(exchange, path, members);
  return await exchange.talk.next();
}

/** Takes chunks to the last, and grants for each. */
async function takeBody({ talk, mark }: SoakExchange, bytes: number): Promise<void> {
  const expected = patternOf(mark, PATTERN_BYTES);
  for (let taken = 0;;) {
    const frame: Frame = await talk.next();
    const { type, payload, fin } = frame;
    if (type === "grant") continue;
    check(payload instanceof Uint8Array, frame);
    const isExpected = payload.every((byte: number, i: number) =>
      byte === expected[(taken + i) % PATTERN_BYTES]
    );
    if (!isExpected) throw new Error("bytes of another body");
    taken += payload.length;
    if (fin && taken !== bytes) throw new Error(`${taken} bytes instead of ${bytes}`);
    if (fin) return;
    if (payload.length > 0) talk.send({ type: "grant", id: talk.id, bytes: payload.length });
  }
}

function patternOf(mark: number, bytes: number): Uint8Array<ArrayBuffer> {
  const pattern = new Uint8Array(bytes);
  const view = new DataView(pattern.buffer);
  for (let at = 0; at + PATTERN_BYTES <= bytes; at += PATTERN_BYTES) view.setUint32(at, mark);
  return pattern;
}

function checkMark({ mark }: SoakExchange, frame: Frame): void {
  if (typeof frame.json?.mark !== "number") return check(false, frame);
  if (frame.json.mark !== mark) throw new Error("the response to another request");
}

function check(holds: boolean, frame: Frame): asserts holds {
  if (!holds) throw new Error(describe(frame));
}

/** Describes a frame that was not expected, without what differs from exchange to exchange. */
export function describe(
  { type, code, message, error, status, stream, text, data }: Frame,
): string {
  if (code !== undefined) return `${code}: ${message ?? error}`;
  const body = text ?? data;
  const bytes = typeof body === "string" ? ` with ${body.length} characters` : "";
  return `${type ?? "chunk"} ${status ?? ""}${stream === true ? " with a stream" : bytes}`;
}
