/**
 * Real servers on free ports of the loopback interface, to be requested through the service.
 *
 * @module
 */

/** A running server. */
export interface Upstream extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:port`, without a slash. */
  readonly origin: string;
}

/** An HTTP server that also counts. */
export interface HttpUpstream extends Upstream {
  /** The requests that have come, in order: method and URL. */
  readonly requests: readonly string[];
}

/** How an HTTP server is to listen. */
export type HttpOptions = Partial<Deno.TlsCertifiedKeyPem> & { hostname?: string };

/** Starts an HTTP (or, with a certificate, HTTPS) server. */
export function startHttp(
  handler: (request: Request) => Response | Promise<Response>,
  options: HttpOptions = {},
): HttpUpstream {
  const requests: string[] = [];
  const abort = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", ...options, port: 0, onListen: () => {}, signal: abort.signal },
    (request) => {
      requests.push(`${request.method} ${request.url}`);
      return handler(request);
    },
  );
  const { port } = server.addr;
  return {
    port,
    origin: `${"cert" in options ? "https" : "http"}://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose](): Promise<void> {
      abort.abort();
      await server.finished;
    },
  };
}

/** One TCP connection of a raw server. */
export interface RawConnection {
  /** Reads a request head, to the blank line; `""` when the peer closed before. */
  readHead(): Promise<string>;
  /** Reads what comes next, one byte a character; `""` when the peer has closed. */
  read(): Promise<string>;
  /** Writes text (one byte a character) or bytes. */
  write(data: string | Uint8Array<ArrayBuffer>): Promise<void>;
  /** Fulfils when the peer has closed. */
  readonly peerClosed: () => Promise<void>;
  /** Says that nothing more is written. */
  closeWrite(): Promise<void>;
  close(): void;
}

/** A raw server that also counts. */
export interface RawUpstream extends Upstream {
  /** Connections that have come. */
  readonly connections: () => number;
}

/** Starts a TCP server that says what it is told to, HTTP or not. */
export function startRaw(script: (connection: RawConnection) => Promise<void>): RawUpstream {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const open = new Set<Deno.TcpConn>();
  let count = 0;
  const accepting = (async () => {
    const scripts: Promise<void>[] = [];
    for await (const connection of listener) {
      count++;
      open.add(connection);
      // A peer that goes away in the middle of a script is what many scripts are about.
      scripts.push(script(toRaw(connection, open)).catch(() => {}));
    }
    await Promise.all(scripts);
  })();
  return {
    port: listener.addr.port,
    origin: `http://127.0.0.1:${listener.addr.port}`,
    connections: () => count,
    async [Symbol.asyncDispose](): Promise<void> {
      listener.close();
      for (const connection of open) closeQuietly(connection);
      await accepting;
    },
  };
}

/** Text as bytes, one a character. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function toRaw(connection: Deno.TcpConn, open: Set<Deno.TcpConn>): RawConnection {
  const buffer = new Uint8Array(65536);
  const read = async (): Promise<string> => {
    const length = await connection.read(buffer) ?? 0;
    return new TextDecoder("latin1").decode(buffer.subarray(0, length));
  };
  return {
    async readHead(): Promise<string> {
      let head = "";
      while (!head.includes("\r\n\r\n")) {
        const text = await read();
        if (text === "") return "";
        head += text;
      }
      return head;
    },
    read,
    async write(data): Promise<void> {
      let rest = typeof data === "string" ? latin1(data) : data;
      while (rest.length > 0) rest = rest.subarray(await connection.write(rest));
    },
    async peerClosed(): Promise<void> {
      try {
        while (await read() !== "");
      } catch {
        // a reset is an end too
      }
    },
    closeWrite: () => connection.closeWrite(),
    close(): void {
      open.delete(connection);
      closeQuietly(connection);
    },
  };
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // it was closed before
  }
}
