/**
 * The destination of the requests: an HTTP server with various responses, and streams that tests control.
 *
 * @module
 */
import { type HttpUpstream, startHttp } from "../../helpers/upstream.ts";

/** A running destination. */
export interface Target extends HttpUpstream {
  /** Header fields of the last request to `/echo`. */
  readonly lastHeaders: () => Headers;
  /** Creates the body of the next response to `/stream`. */
  readonly nextStream: () => Stream;
}

/** The body of a response to `/stream`. */
export interface Stream {
  /** Fulfils when the request has arrived. */
  readonly asked: Promise<void>;
  /** Fulfils when the request was cancelled. */
  readonly cancelled: Promise<void>;
  push(data: string | Uint8Array<ArrayBuffer>): void;
  end(): void;
}

/** JSON with numbers and escapes that JSON.parse does not preserve. */
export const JSON_TEXT =
  '{"id": 12345678901234567890, "price": 1.0, "tiny": 1e-400, "name": "caf\\u00e9", "list": [1, {"deep": true}], "none": null}';

/** Runs a script or sends a request if it is inserted as HTML. */
export const MARKUP =
  `"'><img src=/owned onerror="owned=1"><script>owned=1</script><style>*{display:none}</style>`;

const PNG = Uint8Array.fromBase64(
  "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAAFUlEQVR4nGP4z8DAAMQM//8zMDAwAAAe9AP9Yx3vzAAAAABJRU5ErkJggg==",
);

const TYPES: Readonly<Record<string, string>> = {
  events: "text/event-stream",
  lines: "application/x-ndjson",
  text: "text/plain",
  bytes: "application/octet-stream",
};

/** Starts the server. */
export function startTarget(): Target {
  let stream = createStream();
  let lastHeaders = new Headers();

  async function respond(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/json") return text(JSON_TEXT, "application/json");
    if (pathname === "/markup") {
      const type = searchParams.get("type") ?? "";
      return new Response(searchParams.get("body"), {
        headers: { "content-type": type, "x-markup": MARKUP },
      });
    }
    if (pathname === "/broken") return text('{"a": oops}', "application/json");
    if (pathname === "/text") return text("plain words\nin two lines", "text/plain");
    if (pathname === "/bytes") return new Response(Uint8Array.of(0, 65, 255, 128));
    if (pathname === "/image") {
      return new Response(PNG, { headers: { "content-type": "image/png" } });
    }
    if (pathname === "/empty") return new Response(null, { status: 204 });
    if (pathname === "/redirect") return Response.redirect(new URL("/json", request.url), 302);
    if (pathname === "/missing") return text('{"error": "no such item"}', "application/json", 404);
    if (pathname === "/hang") return new Response(new ReadableStream());
    if (pathname === "/echo") {
      lastHeaders = request.headers;
      const type = request.headers.get("content-type") ?? "";
      return new Response(await request.arrayBuffer(), {
        headers: { "content-type": type, "x-method": request.method },
      });
    }
    if (pathname === "/stream") {
      const type = TYPES[searchParams.get("type") ?? "text"] ?? "";
      return new Response(stream.take(), { headers: { "content-type": type } });
    }
    return text("not here", "text/plain", 404);
  }

  const server = startHttp(respond);
  return Object.assign(server, {
    lastHeaders: () => lastHeaders,
    nextStream: () => stream = createStream(),
  });
}

function text(body: string, type: string, status = 200): Response {
  return new Response(body, { status, headers: { "content-type": type } });
}

interface OwnStream extends Stream {
  take(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

function createStream(): OwnStream {
  const asked = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>(
    { cancel: () => cancelled.resolve() },
    { highWaterMark: Infinity },
  );
  const writer = writable.getWriter();
  // Writes after a cancel fail.
  const ignore = (): void => {};
  return {
    asked: asked.promise,
    cancelled: cancelled.promise,
    take(): ReadableStream<Uint8Array<ArrayBuffer>> {
      asked.resolve();
      return readable;
    },
    push: (data) => void writer.write(toBytes(data)).catch(ignore),
    end: () => void writer.close().catch(ignore),
  };
}

function toBytes(data: string | Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}
