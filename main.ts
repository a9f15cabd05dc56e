/**
 * Runs the service, with settings from the environment, until a signal ends it.
 *
 * @module
 */
import { SERVER_NAME } from "./src/app.ts";
import { type Config, formatSettings, parseConfig } from "./src/config/config.ts";
import { loadTrust } from "./src/config/trust.ts";
import { ConfigError } from "./src/config_error.ts";
import { toJsonSchemas } from "./src/dialect/json_schema.ts";
import { ListenError } from "./src/server/listener.ts";
import { serveAlone, type Service } from "./src/service.ts";
import { serveTogether, StartError } from "./src/workers/coordinator.ts";
import { countWorkers } from "./src/workers/count.ts";

const HELP = `${SERVER_NAME}: a WebSocket-to-HTTP proxy

Usage: deno task start [--help | --version | --schema]

--schema prints the JSON Schemas of the frames that a client sends.

Settings are environment variables:

${formatSettings()}`;

const EXIT_CANNOT_SERVE = 1;
const EXIT_WRONG_SETTINGS = 2;
// Exit codes after a second signal: 128 plus the number of the signal.
const EXIT_SIGINT = 130;
const EXIT_SIGTERM = 143;

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) return print(Deno.stdout, HELP);
  if (args.includes("--schema")) {
    return print(Deno.stdout, JSON.stringify(toJsonSchemas(), undefined, 2));
  }
  if (args.includes("--version")) return print(Deno.stdout, SERVER_NAME);
  if (args.length > 0) {
    return fail([`Unknown argument ${args[0]}; try --help`], EXIT_WRONG_SETTINGS);
  }
  try {
    const env = Deno.env.toObject();
    await run(parseConfig(env), env);
  } catch (error) {
    if (error instanceof ConfigError) return fail(error.problems, EXIT_WRONG_SETTINGS);
    if (error instanceof ListenError || error instanceof StartError) {
      return fail([error.message], EXIT_CANNOT_SERVE);
    }
    throw error;
  }
}

async function run(config: Config, env: Readonly<Record<string, string>>): Promise<void> {
  const running = Promise.withResolvers<Service>();
  // First, because SIGHUP ends a process that does not listen for it. Windows has no SIGHUP.
  if (Deno.build.os !== "windows") {
    Deno.addSignalListener("SIGHUP", async () => (await running.promise).reload());
  }
  const workers = countWorkers(config);
  loadTrust();
  Deno.permissions.revokeSync({ name: "env" });
  const service = workers === 1
    ? serveAlone(config, env)
    : await serveTogether(config, { env, workers });
  Deno.permissions.revokeSync({ name: "sys" }); // the memory of the machine was read
  running.resolve(service);

  let ending = false;
  async function end(exitCode: number): Promise<void> {
    if (ending) Deno.exit(exitCode);
    ending = true;
    await service.end();
    Deno.exit(0);
  }

  Deno.addSignalListener("SIGINT", () => end(EXIT_SIGINT));
  // Windows has no SIGTERM.
  if (Deno.build.os !== "windows") {
    Deno.addSignalListener("SIGTERM", () => end(EXIT_SIGTERM));
  }
}

function fail(problems: readonly string[], exitCode: number): never {
  print(Deno.stderr, problems.join("\n"));
  Deno.exit(exitCode);
}

function print(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  stream.writeSync(new TextEncoder().encode(`${text}\n`));
}

await main(Deno.args);
