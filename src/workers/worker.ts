/**
 * The program of a worker: one of several isolates that serve together, as the coordinator tells them.
 *
 * @module
 */
import type { IsolateGroup } from "../app.ts";
import { parseConfig } from "../config/config.ts";
import { createSharedCounting } from "../limits/shared.ts";
import { createIsolateService, type IsolateService } from "../service.ts";
import { standardOutput } from "../telemetry/output.ts";
import { createSharedOutput } from "../telemetry/shared_output.ts";
import type { TelemetryEventType } from "../telemetry/telemetry.ts";
import type { UpstreamSources } from "../upstream/definition.ts";
import type { FromWorker, SourceTexts, StartMessage, ToWorker, WorkerCommand } from "./messages.ts";
import { toIsolateNumber } from "./shared_memory.ts";

/** Logged by the coordinator, once for all workers. */
const SILENT: ReadonlySet<TelemetryEventType> = new Set<TelemetryEventType>([
  "draining",
  "reloaded",
]);

/** Starts the service of this isolate. Returns the function that runs the coordinator's commands. */
function start(
  { index, sources, shared }: StartMessage,
  post: (message: FromWorker) => void,
): (command: WorkerCommand) => void {
  let texts = sources;
  const renders: PromiseWithResolvers<string>[] = [];
  const group: IsolateGroup = {
    stream: createSharedOutput(
      { turn: shared.turn, self: toIsolateNumber(index) },
      standardOutput,
    ),
    silent: SILENT,
    connectionCounts: { counts: shared.connections, index },
    counting: createSharedCounting(shared.limits, index),
    ownMemory: { memoryBytes: shared.memoryBytes, numbers: shared.memory, index },
    memory: () => ({ ...Deno.memoryUsage(), rss: 0 }), // that of the process is the coordinator's metric
    renderMetrics(): Promise<string> {
      const rendered = Promise.withResolvers<string>();
      renders.push(rendered);
      post({ type: "render" });
      return rendered.promise;
    },
  };
  const service = createIsolateService(parseConfig(sources.env), {
    sources: createSources(() => texts),
    group,
  });
  post({ type: "ready" });

  return function run(command): void {
    switch (command.type) {
      case "listen":
        return listen(service, command.port, post);
      case "reload":
        texts = command.sources;
        service.app.reload();
        return post({ type: "reloaded" });
      case "measure":
        return void service.app.metrics?.snapshot().then((snapshot) =>
          post({ type: "measured", snapshot })
        );
      case "rendered":
        return settle(renders.shift(), command.text);
      case "drain":
        return void service.app.drain().then(() => post({ type: "drained" }));
      case "close":
        return void service.close()
          .then(() => service.app.flush())
          .then(() => post({ type: "closed" }));
    }
  };
}

function listen(service: IsolateService, port: number, post: (message: FromWorker) => void): void {
  try {
    service.listen({ port, reusePort: true }, (address) => post({ type: "listening", ...address }));
  } catch (error) {
    post({ type: "unable", problem: error instanceof Error ? error.message : String(error) });
  }
}

function settle(
  rendered: PromiseWithResolvers<string> | undefined,
  text: string | undefined,
): void {
  if (text === undefined) {
    rendered?.reject(new Error("The metrics of all workers could not be collected"));
  } else rendered?.resolve(text);
}

function createSources(texts: () => SourceTexts): UpstreamSources {
  const find = (texts: Readonly<Record<string, string>>, name: string): string | undefined =>
    Object.hasOwn(texts, name) ? texts[name] : undefined;
  return {
    env: (name) => find(texts().env, name),
    readText(path): string {
      const text = find(texts().files, path);
      if (text === undefined) throw new TypeError(`The coordinator did not read ${path}`);
      return text;
    },
  };
}

let run: ((command: WorkerCommand) => void) | undefined;
self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "start") run = start(data, (message) => self.postMessage(message));
  else run?.(data);
};
