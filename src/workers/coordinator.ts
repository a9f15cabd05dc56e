/**
 * The service in several isolates, one for each core: starts them, replaces those that end, and speaks for all.
 *
 * @module
 */
import type { Config } from "../config/config.ts";
import { countTaken } from "../limits/seats.ts";
import { ListenError, probe } from "../server/listener.ts";
import { logUncaughtErrors, type Service } from "../service.ts";
import { writeToStandardOutput } from "../telemetry/output.ts";
import { createTurns } from "../telemetry/turns.ts";
import { parseUpstreams } from "../upstream/definition.ts";
import { createSecretRedaction } from "../upstream/secret_redaction.ts";
import { createMember, type Member } from "./member.ts";
import type { FromWorker, SourceTexts, ToWorker } from "./messages.ts";
import { createShared, giveBack, toSelf } from "./shared.ts";
import { startThread } from "./thread.ts";
import { createWhole } from "./whole.ts";

/** A worker has ended before all served. */
export class StartError extends Error {
  override readonly name = "StartError";
}

const LISTEN_AGAIN_MS = 1000;
// A worker that is busy for longer shows what it had counted when it was asked before.
const MEASURE_MS = 1000;
const RELOAD_MS = 5000;
// Beyond what workers allow themselves: one that is stuck is not waited for.
const DRAIN_MARGIN_MS = 3000;
const CLOSE_MS = 2000;

/**
 * Starts so many workers, and fulfils when all of them listen. This thread goes on reading files: it needs its
 * own to replace a worker, and serves nobody.
 *
 * @throws {ConfigError} The named upstreams cannot be used.
 * @throws {ListenError} The address cannot be listened on.
 * @throws {StartError} A worker has ended instead.
 */
export async function serveTogether(
  config: Config,
  { env, workers }: { readonly env: Readonly<Record<string, string>>; readonly workers: number },
): Promise<Service> {
  const redaction = createSecretRedaction([config.JWT_SECRET]);
  let sources = readSources();
  const shared = createShared(config, workers);
  const whole = createWhole(config, {
    writeSync: createTurns({ turn: shared.turn, self: toSelf(workers) }, writeToStandardOutput),
    redaction,
    collect: () => askAll({ type: "measure" }, { answer: "measured", ms: MEASURE_MS }),
  });
  const { telemetry } = whole;
  const broken = Promise.withResolvers<never>();
  let port = config.PORT;
  let state: "starting" | "serving" | "ending" = "starting";

  /** Reads the named upstreams once for all workers, which then cannot find them wrong. */
  function readSources(): { readonly texts: SourceTexts; readonly upstreams: readonly string[] } {
    const files: Record<string, string> = {};
    const definitions = parseUpstreams(config.UPSTREAMS, {
      env: (name) => Object.hasOwn(env, name) ? env[name] : undefined,
      readText: (path) => files[path] = Deno.readTextFileSync(path),
    });
    redaction.know(definitions);
    return { texts: { env, files }, upstreams: definitions.map(({ name }) => name) };
  }

  function onMessage(member: Member, message: FromWorker): void {
    switch (message.type) {
      case "ready":
        if (state === "serving") member.post({ type: "listen", port });
        return;
      case "listening":
        if (state === "serving") telemetry.emit({ type: "started", url: message.url });
        return;
      case "unable":
        return listenAgain(member, message.problem);
      case "measured":
        return whole.set(member.index, message.snapshot);
      case "render":
        return void render(member);
      case "ended":
        return bury(member, message.reason);
    }
  }

  function listenAgain(member: Member, problem: string): void {
    if (state === "starting") return broken.reject(new ListenError(problem));
    telemetry.emit({ type: "failed", error: problem });
    setTimeout(() => member.post({ type: "listen", port }), LISTEN_AGAIN_MS);
  }

  async function render(member: Member): Promise<void> {
    try {
      member.post({ type: "rendered", text: await whole.render() });
    } catch (error) {
      telemetry.emit({ type: "failed", error });
      member.post({ type: "rendered", text: undefined });
    }
  }

  function bury({ index }: Member, reason: string): void {
    giveBack(shared, index);
    whole.retire(index);
    if (state === "starting") {
      return broken.reject(new StartError(`A worker could not be started: ${reason}`));
    }
    telemetry.emit({ type: "failed", error: `Worker ${index} has ended: ${reason}` });
  }

  /** Tells all; fulfils when each that serves has answered or ended, or when the time is over. */
  async function askAll(
    message: ToWorker,
    { answer, ms }: { readonly answer: FromWorker["type"]; readonly ms: number },
  ): Promise<void> {
    const serving = members.filter(({ isListening }) => isListening);
    const answers = serving.map((member) => member.next(answer));
    for (const member of members) member.post(message);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((resolve) => timer = setTimeout(resolve, ms));
    await Promise.race([Promise.all(answers), late]);
    clearTimeout(timer);
  }

  const members = Array.from({ length: workers }, (_, index) =>
    createMember(index, {
      startThread,
      toStart: () => ({ type: "start", index, sources: sources.texts, shared }),
      onMessage,
      isReplaced: () => state === "serving",
    }));

  /** Gives the URL that all of them listen on. */
  async function listen(): Promise<string> {
    await Promise.all(members.map((member) => member.next("ready")));
    if (port !== 0) probe({ hostname: config.HOST, port });
    let url = "";
    for (const member of members) {
      member.post({ type: "listen", port });
      const answer = await member.next("listening");
      if (answer.type === "listening") ({ url, port } = answer);
    }
    return url;
  }

  const url = await Promise.race([listen(), broken.promise]);
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
      askAll({ type: "reload", sources: texts }, { answer: "reloaded", ms: RELOAD_MS })
        .then(() => telemetry.emit({ type: "reloaded", upstreams }));
    },
    async end(): Promise<void> {
      state = "ending";
      telemetry.emit({
        type: "draining",
        connections: countTaken(shared.seats),
        graceMs: config.DRAIN_MS,
      });
      whole.flush(); // before what workers say of it
      const ms = config.DRAIN_MS + DRAIN_MARGIN_MS;
      await askAll({ type: "drain" }, { answer: "drained", ms });
      await askAll({ type: "close" }, { answer: "closed", ms: CLOSE_MS });
      telemetry.emit({ type: "stopped" });
    },
  };
}
