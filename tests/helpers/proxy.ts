/**
 * A forward proxy on a free port of the loopback interface: `CONNECT`, and requests in absolute form (RFC 9112 §3.2.2).
 *
 * @module
 */
import { latin1 } from "./upstream.ts";

/** A running proxy. */
export interface TestProxy extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:port`, or with `https`, without a slash. */
  readonly origin: string;
  /** The heads that came, in order. */
  readonly heads: readonly string[];
}

/** How a proxy behaves. */
export interface ProxyBehaviour {
  /** What each head is answered with, instead of a connection. */
  readonly refusal?: string;
  /** The certificate of a proxy that is itself spoken to over TLS. */
  readonly tls?: Deno.TlsCertifiedKeyPem;
}

/** Starts a proxy. Of a host it takes the port only: all servers are on the loopback interface. */
export function startProxy({ refusal, tls }: ProxyBehaviour = {}): TestProxy {
  const address = { port: 0, hostname: "127.0.0.1" };
  const listener = tls === undefined
    ? Deno.listen(address)
    : Deno.listenTls({ ...address, ...tls });
  const open = new Set<Deno.Conn>();
  let isClosed = false;
  const heads: string[] = [];

  async function serve(client: Deno.Conn): Promise<void> {
    open.add(client);
    let text = "";
    const buffer = new Uint8Array(65_536);
    while (!text.includes("\r\n\r\n")) {
      const length = await client.read(buffer);
      if (length === null) return;
      text += new TextDecoder("latin1").decode(buffer.subarray(0, length));
    }
    const head = text.slice(0, text.indexOf("\r\n\r\n"));
    heads.push(head);
    if (refusal !== undefined) {
      await client.write(latin1(refusal));
      return;
    }
    const [method = "", target = ""] = head.split(" ");
    const isTunnel = method === "CONNECT";
    const url = new URL(isTunnel ? `http://${target}` : target);
    const server = await Deno.connect({ hostname: "127.0.0.1", port: Number(url.port || 80) });
    open.add(server);
    if (isTunnel) await client.write(latin1("HTTP/1.1 200 OK\r\n\r\n"));
    else await server.write(latin1(text.replace(target, url.pathname + url.search)));
    await Promise.all([pipe(client, server), pipe(server, client)]);
  }

  async function pipe(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    try {
      await from.readable.pipeTo(to.writable);
    } catch {
      // one side has ended, and pipeTo has ended the other
    }
  }

  const accepting = (async () => {
    for await (const client of listener) {
      serve(client).catch(() => {}).finally(() => closeQuietly(client));
    }
  })();
  return {
    port: listener.addr.port,
    origin: `${tls === undefined ? "http" : "https"}://127.0.0.1:${listener.addr.port}`,
    heads,
    async [Symbol.asyncDispose](): Promise<void> {
      if (isClosed) return;
      isClosed = true;
      listener.close();
      for (const connection of open) closeQuietly(connection);
      await accepting;
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
