/**
 * The least that the service would cost in Deno with nothing but its transport: the upgrade, `JSON.parse`, an HTTP/1.1
 * connection over TCP or TLS that is kept, and the full response frame (of wsfetch.v1 or of the plain dialect). No
 * checks, no limits, no log, GET only, and of HTTP what the upstream of the benchmark sends: a `content-length`. The
 * port and the host are settings, as in the service.
 *
 * @module
 */
const [hostname, port] = ["HOST", "PORT"].map((name) => Deno.env.get(name));
const READ_BYTES = 65_536;
const [CR, LF] = [13, 10];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Connection {
  readonly socket: Deno.Conn;
  readonly buffer: Uint8Array<ArrayBuffer>;
}

interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Connections that rest, by origin. */
const resting = new Map<string, Connection[]>();

async function connect({ protocol, hostname, port }: URL): Promise<Connection> {
  const tcp = await Deno.connect({ hostname, port: Number(port) });
  tcp.setNoDelay(true);
  const buffer = new Uint8Array(READ_BYTES);
  if (protocol === "http:") return { socket: tcp, buffer };
  const tls = await Deno.startTls(tcp, { hostname, alpnProtocols: ["http/1.1"] });
  await tls.handshake();
  return { socket: tls, buffer };
}

async function get(href: string): Promise<Answer> {
  const url = new URL(href);
  let pool = resting.get(url.origin);
  if (pool === undefined) resting.set(url.origin, pool = []);
  const connection = pool.pop() ?? await connect(url);
  const request = encoder.encode(
    `GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\naccept: */*\r\n\r\n`,
  );
  let written = 0;
  while (written < request.length) {
    written += await connection.socket.write(request.subarray(written));
  }
  const answer = await readAnswer(connection);
  if (find(answer, "connection") === "close") connection.socket.close();
  else pool.push(connection);
  return answer;
}

async function readAnswer({ socket, buffer }: Connection): Promise<Answer> {
  let filled = 0;
  let end = -1;
  while (end < 0) {
    filled += await fill(socket, buffer.subarray(filled));
    end = findHeadEnd(buffer.subarray(0, filled));
  }
  const [statusLine = "", ...lines] = decoder.decode(buffer.subarray(0, end)).split("\r\n");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)] as const;
  });
  const answer = { status: Number(statusLine.slice(9, 12)), statusText: statusLine.slice(13) };
  const length = Number(find({ headers }, "content-length"));
  const first = buffer.subarray(end + 4, filled);
  if (first.length >= length) return { ...answer, headers, body: decoder.decode(first) };
  const body = new Uint8Array(length);
  body.set(first);
  let at = first.length;
  while (at < length) at += await fill(socket, body.subarray(at));
  return { ...answer, headers, body: decoder.decode(body) };
}

async function fill(socket: Deno.Conn, into: Uint8Array<ArrayBuffer>): Promise<number> {
  const bytes = await socket.read(into);
  if (bytes === null) throw new Error("The destination has ended the connection");
  return bytes;
}

function findHeadEnd(bytes: Uint8Array): number {
  let at = bytes.indexOf(CR);
  while (at >= 0 && !(bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF)) {
    at = bytes.indexOf(CR, at + 1);
  }
  return at;
}

function find({ headers }: Pick<Answer, "headers">, wanted: string): string | undefined {
  return headers.find(([name]) => name === wanted)?.[1];
}

/** A frame as the service sends it, with the JSON of the body as it came. */
function toFrame(head: Readonly<Record<string, unknown>>, name: string, body: string): string {
  return `${JSON.stringify(head).slice(0, -1)},"${name}":${body}}`;
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}

Deno.serve({ hostname: hostname ?? "", port: Number(port) }, (request) => {
  const protocol = request.headers.get("sec-websocket-protocol") ?? "";
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol });
  const connection = crypto.randomUUID();
  let exchanges = 0;
  socket.onmessage = async ({ data }) => {
    const startedAt = performance.now();
    const { id, url } = JSON.parse(data);
    const { status, statusText, headers, body } = await get(url);
    if (protocol === "") {
      const head = { id, status_code: status, headers: Object.fromEntries(headers) };
      return socket.send(toFrame(head, "content", body));
    }
    const waitMs = round(performance.now() - startedAt);
    const requestId = `${connection}-${++exchanges}`;
    const timing = { queueMs: 0, waitMs, transferMs: 0, totalMs: waitMs };
    const about = { requestId, status, statusText, url, redirected: false, headers, timing };
    socket.send(toFrame({ type: "response", id, ...about }, "json", body));
  };
  return response;
});
