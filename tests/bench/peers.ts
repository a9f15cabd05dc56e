/**
 * The service, and what it is compared with.
 *
 * @module
 */
import type { Mode, Scheme } from "./cells.ts";
import type { Dialect } from "./load/job.ts";
import { ask, type Program } from "./processes.ts";
import { createFloor, createService, SERVICE_DIALECTS } from "./service.ts";
import { findNginx, nginxCommand, type UpstreamPlace } from "./upstream.ts";

/**
 * The names that `--only` takes; "start" is the task of `--start`, "fetch" the service with HTTP_CLIENT=fetch, and
 * "http", beside exchanges over https, the service with the same exchanges over http.
 */
export const PEER_NAMES = [
  "ours",
  "start",
  "fetch",
  "http",
  "bare",
  "floor",
  "direct",
  "node",
  "fastapi",
  "nginx",
] as const;

/** The name of a peer. */
export type PeerName = typeof PEER_NAMES[number];

/** Something that exchanges go through. */
export interface Peer {
  readonly name: PeerName;
  /** With versions. */
  readonly title: string;
  /** How it is spoken to; a mode that is not here it does not have. */
  readonly dialects: Readonly<Partial<Record<Mode, Dialect>>>;
  /** How idle connections are held; absent: they are not. */
  readonly idleDialect?: "v1" | "plain";
  /** Takes part only in cells with another scheme, and makes their exchanges over this one. */
  readonly scheme?: Scheme;
  /** Gets two cores, where the others get one. */
  readonly isMulti?: true;
  /** The program that listens on this port, for exchanges over a scheme; absent: they go to the upstream themselves. */
  readonly program?: (port: number, scheme: Scheme) => Program;
}

/** What peers have to know. */
export interface PeerOptions {
  /** Where they may write. */
  readonly folder: string;
  readonly upstream: UpstreamPlace;
  /** Another task of deno.json that starts the service. */
  readonly start: string | undefined;
  readonly only: ReadonlySet<PeerName>;
}

const ROOT = new URL("../../", import.meta.url).pathname;
const NODE_PACKAGES = ["ws@8", "undici@7"];

/** Gives the peers that can run here, and a line on each that cannot. */
export async function findPeers(
  options: PeerOptions,
): Promise<{ readonly peers: readonly Peer[]; readonly missing: readonly string[] }> {
  const finders: Readonly<Record<PeerName, () => Peer | string | Promise<Peer | string>>> = {
    ours: () => createOurs("ours", "start", options),
    start: () => createOurs("start", options.start, options),
    fetch: () => createOurs("fetch", "start", options),
    http: () => createOurs("http", "start", options),
    bare: () => createBare(options),
    floor: () => createFloorPeer(options),
    direct: () => ({ name: "direct", title: "fetch itself", dialects: { client: "fetch" } }),
    node: () => findNode(options),
    fastapi: () => findFastapi(options),
    nginx: () => findProxy(options),
  };
  const found = await Promise.all(
    PEER_NAMES.filter((name) => options.only.has(name)).map((name) => finders[name]()),
  );
  return {
    peers: found.filter((peer) => typeof peer !== "string"),
    missing: found.filter((peer) => typeof peer === "string").filter((line) => line !== ""),
  };
}

function createOurs(
  name: "ours" | "start" | "fetch" | "http",
  task: string | undefined,
  { upstream }: PeerOptions,
): Peer | string {
  if (task === undefined) return "";
  const titles = {
    ours: "wsfetch",
    start: `wsfetch, task ${task}`,
    fetch: "wsfetch, HTTP_CLIENT=fetch",
    http: "wsfetch, over http instead",
  };
  const settings = { HTTP_CLIENT: name === "fetch" ? "fetch" : "direct" };
  return {
    name,
    title: titles[name],
    dialects: SERVICE_DIALECTS,
    ...((name === "ours" || name === "start") && { idleDialect: "v1" }),
    ...(name === "http" && { scheme: "http" }),
    ...(name === "start" && { isMulti: true }),
    program: (port) => createService(task, { port, upstream, settings }),
  };
}

function createBare({ upstream: { certificates } }: PeerOptions): Peer {
  return {
    name: "bare",
    title: "bare loop",
    dialects: { buffered: "plain", plain: "plain", streamed: "raw-streamed" },
    idleDialect: "plain",
    program: (port) => ({
      command: [Deno.execPath(), "run", "-A", `${ROOT}tests/bench/peers/bare_server.ts`, `${port}`],
      env: { DENO_CERT: certificates.ca },
    }),
  };
}

function createFloorPeer({ upstream }: PeerOptions): Peer {
  return {
    name: "floor",
    title: "floor",
    dialects: { buffered: "v1", plain: "plain" },
    program: (port) => createFloor("start", { port, upstream }),
  };
}

async function findNode(
  { folder, upstream: { certificates } }: PeerOptions,
): Promise<Peer | string> {
  const node = await ask(["node", "--version"]);
  if (node === undefined) return "Node.js is not installed: left out";
  const home = `${folder}/node`;
  const flags = ["--no-save", "--no-audit", "--no-fund", "--fetch-timeout=20000"];
  const installed = await ask(["npm", "install", "--prefix", home, ...flags, ...NODE_PACKAGES]);
  if (installed === undefined) return "npm could not install ws and undici: Node.js is left out";
  const versions = ["ws", "undici"].map((name) => {
    const text = Deno.readTextFileSync(`${home}/node_modules/${name}/package.json`);
    return `${name} ${JSON.parse(text).version}`;
  });
  return {
    name: "node",
    title: `Node ${node}, ${versions.join(", ")}`,
    dialects: { buffered: "plain" },
    idleDialect: "plain",
    program: (port) => ({
      command: ["node", `${ROOT}tests/bench/peers/node_server.mjs`, `${port}`],
      cwd: home,
      env: { NODE_EXTRA_CA_CERTS: certificates.ca },
    }),
  };
}

async function findFastapi(
  { upstream: { certificates } }: PeerOptions,
): Promise<Peer | string> {
  const script = "import fastapi, uvicorn, requests, websockets; " +
    'print(f"FastAPI {fastapi.__version__}, requests {requests.__version__}")';
  // Debian's packages are for Debian's Python, which another may hide.
  for (const python of ["python3", "/usr/bin/python3"]) {
    const title = await ask([python, "-c", script]);
    if (title === undefined) continue;
    return {
      name: "fastapi",
      title,
      dialects: { buffered: "plain" },
      program: (port) => ({
        command: [python, `${ROOT}tests/bench/peers/fastapi_server.py`, `${port}`],
        env: { REQUESTS_CA_BUNDLE: certificates.ca },
      }),
    };
  }
  return "FastAPI is left out; Debian has python3-fastapi python3-uvicorn python3-requests";
}

async function findProxy(
  { folder, upstream: { ports, certificates } }: PeerOptions,
): Promise<Peer | string> {
  const title = await findNginx();
  if (title === undefined) return "nginx is not installed: left out as a proxy";
  return {
    name: "nginx",
    title: `${title}, HTTP`,
    dialects: { buffered: "http" },
    program: (port, scheme) => ({
      command: nginxCommand(
        folder,
        `proxy-${port}`,
        `access_log ${folder}/access.log;
proxy_ssl_trusted_certificate ${certificates.ca}; proxy_ssl_verify on; proxy_ssl_name localhost;
proxy_ssl_session_reuse on; proxy_ssl_protocols TLSv1.2 TLSv1.3;
upstream bodies { server 127.0.0.1:${
          ports[scheme]
        }; keepalive 1024; keepalive_requests 1000000000; }
server {
  listen 127.0.0.1:${port} backlog=4096;
  location / { proxy_pass ${scheme}://bodies; proxy_http_version 1.1; proxy_set_header Connection ""; }
}`,
      ),
    }),
  };
}
