/**
 * A forward proxy that relays bytes as they come, and ends each side as the other has ended: by FIN or by RST.
 *
 * @module
 */
import net from "node:net";

/** A running proxy. */
export interface RelayProxy extends AsyncDisposable {
  readonly origin: string;
  /** The first lines of the heads that connections began with. */
  readonly lines: readonly string[];
}

/** Starts a proxy for `CONNECT` and for requests in absolute form (RFC 9112 §3.2.2), whose heads it does not change. */
export async function startRelayProxy(): Promise<RelayProxy> {
  const lines: string[] = [];
  const sockets = new Set<net.Socket>();

  function join(from: net.Socket, to: net.Socket): void {
    sockets.add(from);
    from.on("data", (data: Uint8Array) => void to.write(data));
    from.on("end", () => to.end());
    from.on("error", () => to.resetAndDestroy());
    from.on("close", () => {
      sockets.delete(from);
      to.end();
    });
  }

  function serve(client: net.Socket): void {
    sockets.add(client);
    let text = "";
    const read = (data: Uint8Array): void => {
      text += new TextDecoder("latin1").decode(data);
      if (!text.includes("\r\n\r\n")) return;
      client.off("data", read);
      client.pause();
      const [line = ""] = text.split("\r\n");
      lines.push(line);
      const [method, target = ""] = line.split(" ");
      const isTunnel = method === "CONNECT";
      const { hostname, port } = new URL(isTunnel ? `http://${target}` : target);
      const options = { host: hostname, port: Number(port || 80), allowHalfOpen: true };
      const server = net.connect({ ...options, noDelay: true }, () => {
        if (isTunnel) client.write("HTTP/1.1 200 OK\r\n\r\n");
        else server.write(text, "latin1");
        join(client, server);
        join(server, client);
        client.resume();
      });
      server.once("error", () => client.destroy());
    };
    client.on("data", read);
    client.on("error", () => {});
  }

  const listener = net.createServer({ allowHalfOpen: true, noDelay: true }, serve);
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    origin: `http://127.0.0.1:${port}`,
    lines,
    async [Symbol.asyncDispose](): Promise<void> {
      const closed = new Promise((resolve) => listener.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
