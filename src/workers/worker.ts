/**
 * One of several isolates that serve together: it does what the coordinator asks for.
 *
 * @module
 */
import type { Team } from "../app.ts";
import { parseConfig } from "../config/config.ts";
import { createSharedCounting } from "../limits/shared.ts";
import { createIsolateService, type IsolateService } from "../service.ts";
import { writeToStandardOutput } from "../telemetry/output.ts";
import { createTurns } from "../telemetry/turns.ts";
import type { UpstreamSources } from "../upstream/definition.ts";
import type { FromWorker, SourceTexts, StartMessage, ToWorker } from "./messages.ts";
import { toSelf } from "./shared.ts";

/** What a worker does with messages, all but the first. */
type Receive = (message: Exclude<ToWorker, StartMessage>) => void;

function start(
  { index, sources, shared }: StartMessage,
  post: (message: FromWorker) => void,
): Receive {
  let texts = sources;
  const asked: PromiseWithResolvers<string>[] = [];
  const team: Team = {
    writeSync: createTurns({ turn: shared.turn, self: toSelf(index) }, writeToStandardOutput),
    silent: new Set(["draining", "reloaded"]),
    seats: { counts: shared.seats, index },
    counting: createSharedCounting(shared.limits, index),
    memory: () => ({ ...Deno.memoryUsage(), rss: 0 }), // of the process: the coordinator tells it
    renderMetrics(): Promise<string> {
      const answer = Promise.withResolvers<string>();
      asked.push(answer);
      post({ type: "render" });
      return answer.promise;
    },
  };
  const service = createIsolateService(parseConfig(sources.env), {
    sources: createSources(() => texts),
    team,
  });
  post({ type: "ready" });

  return function receive(message): void {
    switch (message.type) {
      case "listen":
        return listen(service, message.port, post);
      case "reload":
        texts = message.sources;
        service.app.reload();
        return post({ type: "reloaded" });
      case "measure":
        return void service.app.metrics?.snapshot().then((snapshot) =>
          post({ type: "measured", snapshot })
        );
      case "rendered":
        return settle(asked.shift(), message.text);
      case "drain":
        return void service.app.drain().then(() => post({ type: "drained" }));
      case "close":
        return void service.close().then(() => {
          service.app.flush();
          post({ type: "closed" });
        });
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

function settle(answer: PromiseWithResolvers<string> | undefined, text: string | undefined): void {
  if (text === undefined) answer?.reject(new Error("The metrics of all could not be had"));
  else answer?.resolve(text);
}

function createSources(texts: () => SourceTexts): UpstreamSources {
  const find = (texts: Readonly<Record<string, string>>, name: string): string | undefined =>
    Object.hasOwn(texts, name) ? texts[name] : undefined;
  return {
    env: (name) => find(texts().env, name),
    readText(path): string {
      const text = find(texts().files, path);
      if (text === undefined) throw new TypeError(`${path} was not read`);
      return text;
    },
  };
}

let receive: Receive | undefined;
self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "start") receive = start(data, (message) => self.postMessage(message));
  else receive?.(data);
};
