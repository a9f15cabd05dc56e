/**
 * What is asked for: bodies of known sizes, from nginx where it is installed, else from a server of our own.
 *
 * @module
 */
import { ask, findPort, type ServerProcess, startServer } from "./processes.ts";

/** The sizes of bodies, in bytes. */
export const BODY_BYTES = [200, 10_240, 1_048_576] as const;

/** Where an upstream finds its files, and runs. */
export interface UpstreamOptions {
  readonly folder: string;
  readonly cores: readonly number[] | undefined;
}

/** An upstream that runs. */
export interface Upstream extends AsyncDisposable {
  /** Its name and version. */
  readonly title: string;
  readonly process: ServerProcess;
  readonly port: number;
  /** The URL of a body of so many bytes of JSON. */
  url(bodyBytes: number): string;
}

/** Starts the upstream. */
export async function startUpstream({ folder, cores }: UpstreamOptions): Promise<Upstream> {
  const files = `${folder}/bodies`;
  Deno.mkdirSync(files);
  for (const size of BODY_BYTES) Deno.writeTextFileSync(`${files}/${size}.json`, createBody(size));
  const port = findPort();
  const nginx = await findNginx();
  const own = new URL("peers/upstream_server.ts", import.meta.url).pathname;
  const command = nginx === undefined
    ? [Deno.execPath(), "run", "-A", own, String(port), files]
    : nginxCommand(folder, "upstream", formatUpstream(port, files));
  const process = await startServer({ command }, { port, cores, output: `${folder}/upstream.log` });
  return {
    title: nginx ?? "Deno.serve",
    process,
    port,
    url: (bodyBytes) => `http://127.0.0.1:${port}/${bodyBytes}.json`,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
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

function formatUpstream(port: number, files: string): string {
  return `access_log off; open_file_cache max=16; sendfile on; tcp_nopush on;
server { listen 127.0.0.1:${port} backlog=4096; root ${files}; }`;
}

/** A JSON array of such records as an API gives, filled up to the size. */
function createBody(size: number): string {
  const record = (id: number): string =>
    JSON.stringify({ id, name: `Item ${id}`, price: 12.5, tags: ["a", "b"], available: true });
  let text = `[${record(0)}`;
  for (let id = 1; text.length + record(id).length + 20 < size; id++) text += `,${record(id)}`;
  return `${text},"${"x".repeat(size - text.length - 4)}"]`;
}
