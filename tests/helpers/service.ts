/**
 * The service on a free port of the loopback interface, and what it logged.
 *
 * @module
 */
import { type AppDeps, createApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config/config.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createLog, type Log, type LogLine } from "./log.ts";

/** A running service. */
export interface Service extends AsyncDisposable {
  readonly port: number;
  /** `ws://…/ws` */
  readonly url: string;
  /** `http://…` without a path. */
  readonly origin: string;
  readonly app: ReturnType<typeof createApp>;
  /** Every line so far, at the level `debug`. */
  readonly log: readonly LogLine[];
  readonly logged: Log["logged"];
}

/** The settings that let tests reach servers on the loopback interface. */
export const LOOPBACK = { ALLOW_HOSTS: "127.0.0.1:*,localhost:*" };

/** Starts a service; settings as in the environment. */
export function startService(
  settings: Record<string, string> = LOOPBACK,
  deps: AppDeps = {},
): Service {
  const { lines, write, logged } = createLog();
  const telemetry = createLogger({ level: "debug", format: "json", write });
  const app = createApp(parseConfig({ DRAIN_MS: "0", ...settings }), { telemetry, ...deps });
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, app.handler);
  const { port } = server.addr;
  return {
    port,
    url: `ws://127.0.0.1:${port}/ws`,
    origin: `http://127.0.0.1:${port}`,
    app,
    log: lines,
    logged,
    async [Symbol.asyncDispose](): Promise<void> {
      await app[Symbol.asyncDispose]();
      await server.shutdown();
    },
  };
}
