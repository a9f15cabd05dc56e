/**
 * Runs the service in several isolates, one for each core: starts workers, replaces those that end, and logs
 * and measures for all of them.
 *
 * @module
 */
import { type Clock, keepProcessAlive, systemClock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { countConnections } from "../limits/connection_places.ts";
import { ListenError, probe } from "../server/listener.ts";
import { logUncaughtErrors, type Service } from "../service.ts";
import { type LogStream, standardOutput } from "../telemetry/output.ts";
import { createSharedOutput } from "../telemetry/shared_output.ts";
import { parseUpstreams } from "../upstream/definition.ts";
import { createSecretRedaction } from "../upstream/secret_redaction.ts";
import type { FromWorker, SourceTexts, ToWorker } from "./messages.ts";
import { createServiceTelemetry } from "./service_telemetry.ts";
import { allocateSharedMemory, releaseWorker, toIsolateNumber } from "./shared_memory.ts";
import { type StartThread, startThread as startWorkerThread } from "./thread.ts";
import { createWorkerSlot, type WorkerSlot } from "./worker_slot.ts";

/** A worker ended before all of them listened. */
export class StartError extends Error {
  override readonly name = "StartError";
}

const LISTEN_AGAIN_MS = 1000;
// The metrics of a worker that takes longer to reply are those of its last reply.
const MEASURE_MS = 1000;
const RELOAD_MS = 5000;
// Added to the time that workers take at most, so that a worker that is stuck does not delay the end for ever.
const DRAIN_MARGIN_MS = 3000;
const CLOSE_MS = 2000;

/**
 * Starts the workers, and fulfils when all of them listen. This thread serves no clients; it keeps its
 * permission to read files, since it needs the program's own files to replace a worker.
 *
 * @throws {ConfigError} The named upstreams cannot be used.
 * @throws {ListenError} The address cannot be listened on.
 * @throws {StartError} A worker ended before all of them listened.
 */
export async function serveTogether(
  config: Config,
  {
    env,
    workers,
    clock = systemClock,
    startThread = startWorkerThread,
    stream = standardOutput,
  }: {
    readonly env: Readonly<Record<string, string>>;
    readonly workers: number;
    readonly clock?: Clock;
    readonly startThread?: StartThread;
    readonly stream?: LogStream;
  },
): Promise<Service> {
  const redaction = createSecretRedaction([config.JWT_SECRET]);
  let sources = readSources();
  const shared = allocateSharedMemory(config, workers);
  const self = toIsolateNumber(workers);
  const service = createServiceTelemetry(config, {
    stream: createSharedOutput({ turn: shared.turn, self }, stream),
    redaction,
    collect: () => postToAll({ type: "measure" }, { reply: "measured", maxMs: MEASURE_MS }),
  });
  const { telemetry } = service;
  const failure = Promise.withResolvers<never>();
  let port = config.PORT;
  let state: "starting" | "serving" | "ending" = "starting";

  /** Reads and checks the named upstreams once for all workers. */
  function readSources(): { readonly texts: SourceTexts; readonly upstreams: readonly string[] } {
    const files: Record<string, string> = {};
    const definitions = parseUpstreams(config.UPSTREAMS, {
      env: (name) => Object.hasOwn(env, name) ? env[name] : undefined,
      readText: (path) => files[path] = Deno.readTextFileSync(path),
    });
    redaction.addSecretsOf(definitions);
    return { texts: { env, files }, upstreams: definitions.map(({ name }) => name) };
  }

  function onMessage(slot: WorkerSlot, message: FromWorker): void {
    switch (message.type) {
      case "ready":
        if (state === "serving") slot.post({ type: "listen", port });
        return;
      case "listening":
        if (state === "serving") telemetry.emit({ type: "started", url: message.url });
        return;
      case "unable":
        return listenAgain(slot, message.problem);
      case "measured":
        return service.set(slot.index, message.snapshot);
      case "render":
        return void render(slot);
      case "ended":
        return onEnded(slot, message.reason);
    }
  }

  function listenAgain(slot: WorkerSlot, problem: string): void {
    if (state === "starting") return failure.reject(new ListenError(problem));
    telemetry.emit({ type: "failed", error: problem });
    clock.after(LISTEN_AGAIN_MS, () => slot.post({ type: "listen", port }));
  }

  async function render(slot: WorkerSlot): Promise<void> {
    try {
      slot.post({ type: "rendered", text: await service.render() });
    } catch (error) {
      telemetry.emit({ type: "failed", error });
      slot.post({ type: "rendered", text: undefined });
    }
  }

  function onEnded({ index }: WorkerSlot, reason: string): void {
    releaseWorker(shared, index);
    service.retire(index);
    if (state !== "starting") {
      telemetry.emit({ type: "failed", error: `Worker ${index} has ended: ${reason}` });
    } else failure.reject(new StartError(`A worker could not be started: ${reason}`));
  }

  /** Fulfils when each worker that listens has replied or ended, or after `maxMs` milliseconds. */
  async function postToAll(
    message: ToWorker,
    { reply, maxMs }: { readonly reply: FromWorker["type"]; readonly maxMs: number },
  ): Promise<void> {
    const replies = slots.filter(({ isListening }) => isListening).map((slot) => slot.next(reply));
    for (const slot of slots) slot.post(message);
    const { promise: timeout, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(maxMs, resolve);
    await Promise.race([Promise.all(replies), timeout]);
    cancel();
  }

  const slots = Array.from({ length: workers }, (_, index) =>
    createWorkerSlot(index, {
      startThread,
      toStart: () => ({ type: "start", index, sources: sources.texts, shared }),
      onMessage,
      isReplaced: () => state === "serving",
      clock,
    }));

  /** Has all workers listen on one address; returns its URL. */
  async function listen(): Promise<string> {
    await Promise.all(slots.map((slot) => slot.next("ready")));
    if (port !== 0) probe({ hostname: config.HOST, port });
    let url = "";
    for (const slot of slots) {
      slot.post({ type: "listen", port });
      const message = await slot.next("listening");
      if (message.type === "listening") ({ url, port } = message);
    }
    return url;
  }

  const url = await Promise.race([listen(), failure.promise]);
  const alive = keepProcessAlive();
  state = "serving";
  logUncaughtErrors(telemetry);
  telemetry.emit({ type: "started", url });

  return {
    reload(): void {
      try {
        sources = readSources();
      } catch (error) {
        return telemetry.emit({ type: "failed", error });
      }
      const { texts, upstreams } = sources;
      postToAll({ type: "reload", sources: texts }, { reply: "reloaded", maxMs: RELOAD_MS })
        .then(() => telemetry.emit({ type: "reloaded", upstreams }));
    },
    async end(): Promise<void> {
      using _alive = alive;
      state = "ending";
      telemetry.emit({
        type: "draining",
        connections: countConnections(shared.connections),
        graceMs: config.DRAIN_MS,
      });
      void service.flush(); // before the workers log how they drain
      const maxMs = config.DRAIN_MS + DRAIN_MARGIN_MS;
      await postToAll({ type: "drain" }, { reply: "drained", maxMs });
      await postToAll({ type: "close" }, { reply: "closed", maxMs: CLOSE_MS });
      telemetry.emit({ type: "stopped" });
      await service.flush();
    },
  };
}
