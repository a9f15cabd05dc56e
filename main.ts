/**
 * Runs the service: settings from the environment, a server, and an end when a signal asks for one.
 *
 * @module
 */
import { type App, createApp, SERVER_NAME } from "./src/app.ts";
import { type Config, ConfigError, formatSettings, parseConfig } from "./src/config.ts";

const HELP = `${SERVER_NAME}: HTTP requests over one WebSocket

Usage: deno task start [--help | --version]

Settings are environment variables:

${formatSettings()}`;

const EXIT_CANNOT_LISTEN = 1;
const EXIT_WRONG_SETTINGS = 2;
// Exit codes of a process that a second signal ends: 128 and the signal's number.
const EXIT_SIGINT = 130;
const EXIT_SIGTERM = 143;
// Before a listener that has failed is replaced.
const LISTEN_AGAIN_MS = 1000;
// A client that does not answer the closing handshake is not waited for any longer.
const CLOSE_MS = 1000;

function main(args: readonly string[]): void {
  if (args.includes("--help")) return print(Deno.stdout, HELP);
  if (args.includes("--version")) return print(Deno.stdout, SERVER_NAME);
  if (args.length > 0) {
    return fail([`Unknown argument ${args[0]}; try --help`], EXIT_WRONG_SETTINGS);
  }
  try {
    const env = Deno.env.toObject();
    serve(parseConfig(env), env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    fail(error.problems, EXIT_WRONG_SETTINGS);
  }
}

function serve(config: Config, env: Readonly<Record<string, string>>): void {
  let readsFiles = false;
  // Before anything that takes time: where nobody listens, SIGHUP ends the process. Windows has none.
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGHUP", () => reload());
  const app = createApp(config, {
    sources: {
      env: (name) => Object.hasOwn(env, name) ? env[name] : undefined,
      readText(path): string {
        readsFiles = true;
        return Deno.readTextFileSync(path);
      },
    },
  });
  const { telemetry } = app;
  // From here on the process does with the network; only files that are read again stay readable.
  Deno.permissions.revokeSync({ name: "env" });
  if (!readsFiles) Deno.permissions.revokeSync({ name: "read" });
  let server = listen(config, app);

  /** A listener that fails (out of file descriptors) does not come back by itself. */
  async function keepListening(): Promise<void> {
    const { port } = server.addr;
    while (!ending) {
      try {
        await server.finished;
      } catch (error) {
        telemetry.failed({ error });
        await new Promise((resolve) => setTimeout(resolve, LISTEN_AGAIN_MS));
        server = tryListening({ ...config, PORT: port }, app) ?? server;
      }
    }
  }

  let ending = false;
  async function end(exitCode: number): Promise<void> {
    if (ending) Deno.exit(exitCode);
    ending = true;
    await app.drain();
    const timer = Promise.withResolvers<void>();
    setTimeout(timer.resolve, CLOSE_MS);
    await Promise.race([server.shutdown(), timer.promise]);
    telemetry.stopped();
    Deno.exit(0);
  }

  function reload(): void {
    try {
      app.reload();
    } catch (error) {
      telemetry.failed({ error });
    }
  }

  keepListening();
  Deno.addSignalListener("SIGINT", () => end(EXIT_SIGINT));
  // Windows has no SIGTERM to listen for.
  if (Deno.build.os !== "windows") {
    Deno.addSignalListener("SIGTERM", () => end(EXIT_SIGTERM));
  }
  // The last line of defence: whatever escapes every handler is logged, and the process stays up.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    telemetry.failed({ error: event.reason });
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    telemetry.failed({ error: event.error });
  });
}

type Server = Deno.HttpServer<Deno.NetAddr>;

function listen(config: Config, app: App): Server {
  try {
    return startListening(config, app);
  } catch (error) {
    const url = toUrl(config.HOST, config.PORT);
    return fail([`Cannot listen on ${url}: ${messageOf(error)}`], EXIT_CANNOT_LISTEN);
  }
}

function tryListening(config: Config, app: App): Server | undefined {
  try {
    return startListening(config, app);
  } catch (error) {
    app.telemetry.failed({ error });
    return undefined;
  }
}

function startListening({ HOST, PORT }: Config, { handler, telemetry }: App): Server {
  return Deno.serve({
    hostname: HOST,
    port: PORT,
    onListen: ({ hostname, port }) => telemetry.started({ url: toUrl(hostname, port) }),
  }, handler);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function toUrl(hostname: string, port: number): string {
  return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}/`;
}

function fail(problems: readonly string[], exitCode: number): never {
  print(Deno.stderr, problems.join("\n"));
  Deno.exit(exitCode);
}

function print(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  stream.writeSync(new TextEncoder().encode(`${text}\n`));
}

main(Deno.args);
