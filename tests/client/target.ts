/**
 * The HTTP server that the cases of the client request.
 *
 * @module
 */
import { type HttpUpstream, startHttp } from "../helpers/upstream.ts";

/** A running server. */
export interface Target extends HttpUpstream {
  /** Fulfils when this path has been requested. */
  requested(path: string): Promise<void>;
}

/** Starts a {@linkcode Target}. */
export function startTarget(): Target {
  const requested = createSignals();
  const counts = new Map<string, number>();
  const server = startHttp(async (request) => {
    const { pathname } = new URL(request.url);
    const count = (counts.get(pathname) ?? 0) + 1;
    counts.set(pathname, count);
    requested.fire(pathname);
    const [, name = "", value = ""] = pathname.split("/");
    switch (name) {
      case "echo":
        return echo(request);
      case "count": {
        let length = 0;
        for await (const chunk of request.body ?? []) length += chunk.byteLength;
        return Response.json({ length });
      }
      case "status":
        return new Response(Number(value) === 204 ? null : "status", { status: Number(value) });
      case "bytes":
        return new Response(toBytes(Number(value)));
      case "drip":
        return new Response(drip(Number(value)));
      case "redirect":
        return new Response(null, { status: 302, headers: { location: "/status/200" } });
      case "cookies":
        return new Response("", { headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] });
      case "events":
        return toEvents(Number(request.headers.get("last-event-id") ?? "0"));
      case "second-time":
        return count < 2 ? new Response("not yet", { status: 503 }) : echo(request);
      case "never":
        return await new Promise<Response>(() => {});
      default:
        return new Response("not found", { status: 404 });
    }
  });
  return { ...server, requested: requested.wait };
}

/** Returns the body of `/bytes/<length>`. */
export function toBytes(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, at) => at % 251);
}

function echo(request: Request): Response {
  const headers = new Headers({ "x-method": request.method });
  for (const name of ["content-type", "x-sent"]) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return new Response(request.body, { headers });
}

/** Returns `count` chunks, each after the previous one was read. */
function drip(count: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = count;
  return new ReadableStream({
    pull(controller): void {
      if (left-- > 0) controller.enqueue(new Uint8Array([65]));
      else controller.close();
    },
  });
}

/** Returns the two events that follow the last one of the client, and the end of the stream. */
function toEvents(lastId: number): Response {
  const event = (id: number, data: string): string => `id: ${id}\nevent: tick\ndata: ${data}\n\n`;
  const text = `retry: 10\n${event(lastId + 1, "a")}${event(lastId + 2, "b")}`;
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}

interface Signals {
  fire(name: string): void;
  wait(name: string): Promise<void>;
}

function createSignals(): Signals {
  const signals = new Map<string, PromiseWithResolvers<void>>();
  const get = (name: string): PromiseWithResolvers<void> => {
    const signal = signals.get(name) ?? Promise.withResolvers<void>();
    signals.set(name, signal);
    return signal;
  };
  return { fire: (name) => get(name).resolve(), wait: (name) => get(name).promise };
}
