/**
 * The service in one isolate: the app, its server, and the last line of defence.
 *
 * @module
 */
import { type App, type AppDeps, createApp } from "./app.ts";
import type { Config } from "./config/config.ts";
import { listen, type ListenAddress, type Listener } from "./server/listener.ts";
import type { UpstreamSources } from "./upstream/definition.ts";

/** A service that runs, in one isolate or in several. */
export interface Service {
  /** Reads the named upstreams again; what is wrong with them is logged. */
  reload(): void;
  /** Takes no more work, finishes what is in flight, and fulfils when all is over and logged. */
  end(): Promise<void>;
}

/** The service of one isolate. */
export interface IsolateService {
  readonly app: App;
  /**
   * Listens, and tells the address now and whenever it has to listen again.
   *
   * @throws {ListenError} The address cannot be listened on.
   */
  listen(
    options: { readonly port: number; readonly reusePort?: boolean },
    onListen: (address: ListenAddress) => void,
  ): void;
  /** Listens no longer. */
  close(): Promise<void>;
}

/**
 * Creates the service of this isolate.
 *
 * @throws {ConfigError} The named upstreams cannot be used.
 */
export function createIsolateService(config: Config, deps: AppDeps): IsolateService {
  const app = createApp(config, deps);
  const { handler, telemetry } = app;
  let listener: Listener | undefined;
  catchStrays(telemetry);
  return {
    app,
    listen(options, onListen): void {
      const where = { hostname: config.HOST, ...options };
      listener = listen(where, { handler, telemetry, onListen });
    },
    close: async () => await listener?.close(),
  };
}

/**
 * Runs the service in this isolate, which gives up the environment, and files unless they are read again.
 *
 * @throws {ConfigError} The named upstreams cannot be used.
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
  // From here on the process does with the network; only files that are read again stay readable.
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
      await app.drain();
      await close();
      telemetry.emit({ type: "stopped" });
    },
  };
}

/** Whatever escapes every handler is logged, and the isolate stays up. */
export function catchStrays(telemetry: App["telemetry"]): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    telemetry.emit({ type: "failed", error: event.reason });
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    telemetry.emit({ type: "failed", error: event.error });
  });
}
