/**
 * An upstream for where nginx is not installed: `/NAME`, and `/close/NAME`, after which the connection ends; `/status`
 * counts the connections over TLS as nginx does.
 * Arguments: the port, the folder with the bodies, the port for TLS, and the paths of its certificate and key.
 *
 * @module
 */
import { createServer } from "node:https";

const [port, folder = ".", tlsPort, certificate = "", key = ""] = Deno.args;
const JSON_TYPE = { "content-type": "application/json" };
const CLOSE = { connection: "close" };

const bodies = new Map(
  Array.from(
    Deno.readDirSync(folder),
    ({ name }) => [`/${name}`, Deno.readFileSync(`${folder}/${name}`)],
  ),
);

function find(path: string): { readonly body: Uint8Array<ArrayBuffer>; readonly closes: boolean } {
  const body = bodies.get(path.replace("/close/", "/"));
  if (body === undefined) throw new TypeError(`There is no body at ${path}`);
  return { body, closes: path.startsWith("/close/") };
}

// Deno.serve would agree on HTTP/2 with those who offer it.
const tls = createServer({
  ALPNProtocols: ["http/1.1"],
  cert: Deno.readTextFileSync(certificate),
  key: Deno.readTextFileSync(key),
}, ({ url }, response) => {
  const { body, closes } = find(url ?? "");
  response.shouldKeepAlive = !closes;
  response.writeHead(200, { ...JSON_TYPE, "content-length": body.length });
  response.end(body);
});
let accepted = 0;
tls.on("connection", () => accepted++);
tls.keepAliveTimeout = 75_000; // as nginx has it
tls.listen(Number(tlsPort), "127.0.0.1", () => {
  Deno.serve({ hostname: "127.0.0.1", port: Number(port) }, ({ url }) => {
    const { pathname } = new URL(url);
    // With the question's own connection, as nginx has it.
    if (pathname === "/status") return new Response(`requests\n ${++accepted}`);
    const { body, closes } = find(pathname);
    return new Response(body, { headers: closes ? { ...JSON_TYPE, ...CLOSE } : JSON_TYPE });
  });
});
