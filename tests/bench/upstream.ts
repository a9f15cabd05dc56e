/**
 * What is asked for: bodies of known sizes, from nginx where it is installed, else from a server of our own.
 *
 * @module
 */
import { BODY_BYTES, createBody } from "./bodies.ts";
import type { Cell, Scheme } from "./cells.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { ask, findPort, type ServerProcess, startServer } from "./processes.ts";

/** Where an upstream finds its files, and runs. */
export interface UpstreamOptions {
  readonly folder: string;
  readonly cores: readonly number[] | undefined;
  /** Default: made for this upstream. */
  readonly certificates?: Certificates;
}

/** Where an upstream is, and which authority proves it. */
export interface UpstreamPlace {
  readonly ports: Readonly<Record<Scheme, number>>;
  readonly certificates: Certificates;
}

/** An upstream that runs. */
export interface Upstream extends AsyncDisposable, UpstreamPlace {
  /** Its name and version. */
  readonly title: string;
  readonly process: ServerProcess;
  /** Returns the URL of what exchanges of a cell ask for. */
  url(cell: Pick<Cell, "scheme" | "keepsAlive" | "bodyBytes">): string;
  /** Returns how many connections it has accepted, this question's among them. */
  countConnections(): Promise<number>;
}

/** Starts the upstream: over TCP and over TLS, on a port each, with HTTP/1.1. */
export async function startUpstream(
  { folder, cores, certificates: given }: UpstreamOptions,
): Promise<Upstream> {
  const files = `${folder}/bodies`;
  Deno.mkdirSync(files);
  for (const size of BODY_BYTES) Deno.writeTextFileSync(`${files}/${size}.json`, createBody(size));
  const certificates = given ?? await makeCertificates(folder);
  const place = { ports: { http: findPort(), https: findPort() }, certificates };
  const nginx = await findNginx();
  const own = new URL("peers/upstream_server.ts", import.meta.url).pathname;
  const { http: port, https: tlsPort } = place.ports;
  const command = nginx === undefined
    ? [
      ...[Deno.execPath(), "run", "-A", own, `${port}`, files],
      ...[`${tlsPort}`, certificates.certificate, certificates.key],
    ]
    : nginxCommand(folder, "upstream", formatUpstream(place, files));
  const process = await startServer({ command }, { port, cores, output: `${folder}/upstream.log` });
  return {
    ...place,
    title: nginx ?? "Deno.serve",
    process,
    url: ({ scheme, keepsAlive, bodyBytes }) =>
      `${scheme}://127.0.0.1:${place.ports[scheme]}${keepsAlive ? "" : "/close"}/${bodyBytes}.json`,
    countConnections: () => readAccepted(port),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** The second number of nginx's `stub_status` is that of accepted connections: "server accepts handled requests". */
async function readAccepted(port: number): Promise<number> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const response = await fetch(`http://127.0.0.1:${port}/status`, { client });
  return Number(/requests\s+(\d+)/.exec(await response.text())?.[1]);
}

/** Gives the version of nginx, or `undefined` where it is not installed. */
export async function findNginx(): Promise<string | undefined> {
  return (await ask(["nginx", "-v"]))?.replace("nginx version: ", "");
}

/** Writes a configuration and gives the command that runs nginx with it, in one process. */
export function nginxCommand(folder: string, name: string, http: string): readonly string[] {
  const home = `${folder}/${name}`;
  Deno.mkdirSync(home);
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${home}/${kind};`).join(" ");
  Deno.writeTextFileSync(
    `${home}/nginx.conf`,
    `daemon off; master_process off; pid ${home}/pid; error_log ${home}/error.log;
worker_rlimit_nofile 16384; events { worker_connections 8192; }
http { ${paths} keepalive_requests 1000000000; types { application/json json; }
${http} }
`,
  );
  // Before it reads its configuration it would complain about the usual error log.
  return ["nginx", "-e", `${home}/error.log`, "-p", home, "-c", `${home}/nginx.conf`];
}

/** Session tickets are on: who keeps them may resume. */
function formatUpstream({ ports, certificates }: UpstreamPlace, files: string): string {
  return `access_log off; open_file_cache max=16; sendfile on; tcp_nopush on;
server {
  listen 127.0.0.1:${ports.http} backlog=4096; listen 127.0.0.1:${ports.https} ssl backlog=4096;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate ${certificates.certificate}; ssl_certificate_key ${certificates.key};
  root ${files};
  location = /status { stub_status; }
  location /close/ { alias ${files}/; keepalive_timeout 0; }
}`;
}
