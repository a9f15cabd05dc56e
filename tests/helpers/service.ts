/**
 * The service on a free port of the loopback interface, and what it logged.
 *
 * @module
 */
import { type AppDeps, createApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { createLogger } from "../../src/telemetry/logger.ts";

/** A line of the log. */
export type LogLine = Readonly<Record<string, unknown>>;

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
  /** Fulfils with the first line, past or to come, that fits. */
  logged(event: string, fits?: (line: LogLine) => boolean): Promise<LogLine>;
}

/** The settings that let tests reach servers on the loopback interface. */
export const LOOPBACK = { ALLOW_HOSTS: "127.0.0.1:*,localhost:*" };

/** Starts a service; settings as in the environment. */
export function startService(
  settings: Record<string, string> = LOOPBACK,
  deps: AppDeps = {},
): Service {
  const log: LogLine[] = [];
  const watchers = new Set<(line: LogLine) => void>();
  const telemetry = createLogger({
    level: "debug",
    format: "json",
    write(text) {
      const line: LogLine = JSON.parse(text);
      log.push(line);
      for (const watch of watchers) watch(line);
    },
  });
  const app = createApp(parseConfig({ DRAIN_MS: "0", ...settings }), { telemetry, ...deps });
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, app.handler);
  const { port } = server.addr;
  return {
    port,
    url: `ws://127.0.0.1:${port}/ws`,
    origin: `http://127.0.0.1:${port}`,
    app,
    log,
    logged(event, fits = () => true): Promise<LogLine> {
      const isIt = (line: LogLine): boolean => line.event === event && fits(line);
      const past = log.find(isIt);
      if (past !== undefined) return Promise.resolve(past);
      const { promise, resolve } = Promise.withResolvers<LogLine>();
      const watch = (line: LogLine): void => {
        if (!isIt(line)) return;
        watchers.delete(watch);
        resolve(line);
      };
      watchers.add(watch);
      return promise;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await app[Symbol.asyncDispose]();
      await server.shutdown();
    },
  };
}
