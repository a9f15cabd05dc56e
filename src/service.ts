/**
 * The service in one isolate: the app, its listener, and the handlers of uncaught errors.
 *
 * @module
 */
import { type App, type AppDeps, createApp } from "./app.ts";
import { keepProcessAlive } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { listen, type ListenAddress, type Listener } from "./server/listener.ts";
import type { UpstreamSources } from "./upstream/definition.ts";

/** A running service, in one isolate or in several. */
export interface Service {
  /** Reads the named upstreams again. If a definition is wrong, the error is logged and nothing changes. */
  reload(): void;
  /** Drains and closes the service. Fulfils when it has ended and its log is written. */
  end(): Promise<void>;
}

/** The service of one isolate. */
export interface IsolateService {
  readonly app: App;
  /**
   * Starts to listen.
   *
   * @param onListen Called with the address now, and whenever a failed listener was replaced.
   * @throws {ListenError} The address cannot be listened on.
   */
  listen(
    options: { readonly port: number; readonly reusePort?: boolean },
    onListen: (address: ListenAddress) => void,
  ): void;
  /** Stops listening. */
  close(): Promise<void>;
}

/**
 * Creates the service of this isolate. From then on, uncaught errors are logged and do not end the isolate.
 *
 * @throws {ConfigError} A definition of a named upstream is wrong.
 */
export function createIsolateService(config: Config, deps: AppDeps): IsolateService {
  const app = createApp(config, deps);
  const { handler, telemetry } = app;
  let listener: Listener | undefined;
  logUncaughtErrors(telemetry);
  return {
    app,
    listen(options, onListen): void {
      const target = { hostname: config.HOST, ...options };
      listener = listen(target, { handler, telemetry, onListen });
    },
    close: async () => await listener?.close(),
  };
}

/**
 * Runs the service in this isolate only. The process gives up its permission to read files, unless named upstreams are
 * read from files.
 *
 * @throws {ConfigError} A definition of a named upstream is wrong.
 * @throws {ListenError} The address cannot be listened on.
 */
export function serveAlone(config: Config, env: Readonly<Record<string, string>>): Service {
  let readsFiles = false;
  const sources: UpstreamSources = {
    env: (name) => Object.hasOwn(env, name) ? env[name] : undefined,
    readText(path): string {
      readsFiles = true;
      return Deno.readTextFileSync(path);
    },
  };
  const { app, listen, close } = createIsolateService(config, { sources });
  const { telemetry } = app;
  // From now on the process needs the network only, and files only if it may have to read them again.
  if (!readsFiles) Deno.permissions.revokeSync({ name: "read" });
  listen({ port: config.PORT }, ({ url }) => telemetry.emit({ type: "started", url }));
  return {
    reload(): void {
      try {
        app.reload();
      } catch (error) {
        telemetry.emit({ type: "failed", error });
      }
    },
    async end(): Promise<void> {
      using _alive = keepProcessAlive();
      await app.drain();
      await close();
      telemetry.emit({ type: "stopped" });
      await app.flush();
    },
  };
}

/** Logs uncaught errors and unhandled rejections, so that they do not end the isolate. */
export function logUncaughtErrors(telemetry: App["telemetry"]): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    telemetry.emit({ type: "failed", error: event.reason });
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    telemetry.emit({ type: "failed", error: event.error });
  });
}
