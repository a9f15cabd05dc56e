/**
 * Exchanges without a client: a runner, destinations that respond when the test says so, and an outlet that keeps
 * what it is given.
 *
 * @module
 */
import { createWheel, type Wheel } from "../../src/exchange/wheel.ts";
import { Exchange } from "../../src/exchange/exchange.ts";
import type { StreamEvent } from "../../src/exchange/events.ts";
import type { Outlet } from "../../src/exchange/outlet.ts";
import { createRunner, type ExchangeDeps, type Runner } from "../../src/exchange/run.ts";
import { createForward } from "../../src/forward/forward.ts";
import type { Body, Bytes } from "../../src/http/body.ts";
import type { Transport, TransportRequest, TransportResponse } from "../../src/http/transport.ts";
import type { Limiter } from "../../src/limits/limiter.ts";
import type { Policy } from "../../src/policy/policy.ts";
import {
  type HttpResponse,
  ProxyError,
  type ProxyRequest,
  type ResponseHead,
  type Timing,
} from "../../src/protocol/mod.ts";
import type { Telemetry, TelemetryEvent } from "../../src/telemetry/telemetry.ts";
import type { Registry, Upstream } from "../../src/upstream/registry.ts";
import { createTurns } from "./turns.ts";
import { createFakeClock, type FakeClock } from "./clock.ts";

/** A request with default values for everything that a test does not set. */
export const BLANK_REQUEST: ProxyRequest = {
  method: "GET",
  target: new URL("http://x/"),
  headers: [],
  body: null,
  redirect: "follow",
  stream: false,
  decode: true,
  bodyFollows: false,
};

/** The number of exchanges that run at a time before others wait for a place. */
export const PLACES = 64;

/** Creates an exchange of the connection `c` by these members of its request. Default: its first, with the id 7. */
export function createBlankExchange(
  request: Partial<ProxyRequest> = {},
  { wheel = createWheel(createFakeClock()), id = 7, sequence = 1, subject }: {
    readonly wheel?: Wheel;
    readonly id?: number | undefined;
    readonly sequence?: number;
    readonly subject?: string;
  } = {},
): Exchange {
  const init = { request: { ...BLANK_REQUEST, ...request }, id, sequence };
  return new Exchange(init, { connection: "c", subject, key: "k", queue: { round: 0 } }, wheel);
}

type EventOf<Type> = Extract<TelemetryEvent, { readonly type: Type }>;

/** Telemetry that keeps its events. */
export interface RecordedTelemetry extends Telemetry {
  readonly events: readonly TelemetryEvent[];
  /** Returns the events of one type so far. */
  of<Type extends TelemetryEvent["type"]>(type: Type): EventOf<Type>[];
  /** Fulfils with the first event of the type, past or future, that fits. */
  first<Type extends TelemetryEvent["type"]>(
    type: Type,
    fits?: (event: EventOf<Type>) => boolean,
  ): Promise<EventOf<Type>>;
}

/**
 * Creates telemetry that keeps its events.
 *
 * @param before Called with each event before it is kept; an event for which it throws is lost.
 */
export function recordTelemetry(
  { wantsAllowedHops = false, before = () => {} }: {
    readonly wantsAllowedHops?: boolean;
    readonly before?: (event: TelemetryEvent) => void;
  } = {},
): RecordedTelemetry {
  const events: TelemetryEvent[] = [];
  const watchers = new Set<(event: TelemetryEvent) => void>();
  const isOf = <Type>(event: TelemetryEvent, type: Type): event is EventOf<Type> =>
    event.type === type;
  return {
    wantsAllowedHops,
    events,
    emit(event): void {
      before(event);
      events.push(event);
      for (const watch of watchers) watch(event);
    },
    of: (type) => events.filter((event) => isOf(event, type)),
    first<Type extends TelemetryEvent["type"]>(
      type: Type,
      fits: (event: EventOf<Type>) => boolean = () => true,
    ): Promise<EventOf<Type>> {
      return new Promise((resolve) => {
        const watch = (event: TelemetryEvent): void => {
          if (!isOf(event, type) || !fits(event)) return;
          watchers.delete(watch);
          resolve(event);
        };
        watchers.add(watch);
        for (const event of [...events]) watch(event);
      });
    },
  };
}

/** A request that has reached a destination, which responds when the test says so. */
export interface Call {
  readonly request: TransportRequest;
  readonly signal: AbortSignal;
  /** Responds with an empty body unless `response` has another. Default status: 200. */
  respond(response?: Partial<TransportResponse>): void;
  /** Makes the transport throw. */
  fail(error: unknown): void;
}

/** A transport, and the requests that it was given. */
export interface FakeDestination {
  readonly transport: Transport;
  readonly calls: readonly Call[];
}

/**
 * Creates a transport that makes no connection.
 *
 * @param obeysSignal Whether a request fails as soon as its signal is aborted, as those of real transports do.
 */
export function createFakeDestination({ obeysSignal = true } = {}): FakeDestination {
  const calls: Call[] = [];
  return {
    calls,
    transport(request, signal): Promise<TransportResponse> {
      const { promise, resolve, reject } = Promise.withResolvers<TransportResponse>();
      calls.push({ request, signal, respond: (parts) => resolve(toResponse(parts)), fail: reject });
      if (obeysSignal) signal.addEventListener("abort", () => reject(signal.reason));
      return promise;
    },
  };
}

function toResponse(parts: Partial<TransportResponse> = {}): TransportResponse {
  const defaults = { status: 200, statusText: "OK", headers: [], decoded: false };
  return { ...defaults, body: createFakeBody([]), ...parts };
}

/** A body, and what was done with it. */
export interface FakeBody extends Body {
  /** The limits that `bytes` and `chunks` were called with. */
  readonly limits: readonly number[];
  readonly discards: () => number;
}

/**
 * Creates a body of these texts.
 *
 * @param isHere Whether the body has arrived with its head. Default `true`.
 * @param length Default: its length when it has arrived, else unknown.
 * @param before Called before each chunk is returned, and before the end.
 */
export function createFakeBody(
  texts: readonly string[],
  options: {
    readonly isHere?: boolean;
    readonly length?: number;
    readonly before?: (index: number) => void | Promise<void>;
  } = {},
): FakeBody {
  const { isHere = true, before = () => {} } = options;
  const chunks = texts.map((text) => new TextEncoder().encode(text));
  const whole = new TextEncoder().encode(texts.join(""));
  const limits: number[] = [];
  let discards = 0;
  return {
    length: options.length ?? (isHere ? whole.byteLength : undefined),
    isHere,
    limits,
    discards: () => discards,
    bytes(maxBytes): Bytes | Promise<Bytes> {
      limits.push(maxBytes);
      return isHere ? whole : Promise.resolve(before(0)).then(() => whole);
    },
    async *chunks(maxBytes): AsyncGenerator<Bytes> {
      limits.push(maxBytes);
      for (const [index, chunk] of chunks.entries()) {
        await before(index);
        yield chunk;
      }
      await before(chunks.length);
    },
    discard: () => void discards++,
  };
}

/** A part of a response, as an outlet was given it. */
export type OutletPart =
  | { readonly type: "whole"; readonly response: HttpResponse; readonly timing: Timing }
  | { readonly type: "head"; readonly head: ResponseHead; readonly timing: Timing }
  | { readonly type: "bytes"; readonly text: string; readonly fin: boolean }
  | { readonly type: "event"; readonly event: StreamEvent }
  | { readonly type: "end" }
  | { readonly type: "fail"; readonly error: ProxyError };

/** An outlet that keeps what it is given. */
export interface FakeOutlet extends Outlet {
  readonly parts: readonly OutletPart[];
  /** Returns the last part; throws when it is not of this type. */
  last<Type extends OutletPart["type"]>(type: Type): PartOf<Type>;
}

type PartOf<Type> = Extract<OutletPart, { readonly type: Type }>;

/** Creates an outlet; `wait` returns what each method but `fail` returns, and is told which it is. */
export function createFakeOutlet(
  wait: (method: "ready" | OutletPart["type"]) => void | Promise<void> = () => {},
): FakeOutlet {
  const parts: OutletPart[] = [];
  const take = (part: OutletPart): void | Promise<void> => {
    parts.push(part);
    return wait(part.type);
  };
  const isOf = <Type>(part: OutletPart | undefined, type: Type): part is PartOf<Type> =>
    part?.type === type;
  return {
    parts,
    last<Type extends OutletPart["type"]>(type: Type): PartOf<Type> {
      const last = parts.at(-1);
      if (isOf(last, type)) return last;
      throw new Error(`The last part is ${last?.type}, not ${type}`);
    },
    ready: () => wait("ready"),
    whole: (response, timing) => take({ type: "whole", response, timing }),
    head: (head, timing) => take({ type: "head", head, timing }),
    bytes: (bytes, fin) => take({ type: "bytes", text: new TextDecoder().decode(bytes), fin }),
    event: (event) => take({ type: "event", event }),
    end: () => take({ type: "end" }),
    fail: (error) => take({ type: "fail", error }),
  };
}

/** A limiter without limits, but for the methods that a test replaces. */
export function createFakeLimiter(methods: Partial<Limiter> = {}): Limiter {
  const lease = { [Symbol.dispose](): void {} };
  return {
    admitConnection: () => lease,
    admitExchange: () => lease,
    count: () => {},
    spend: () => {},
    [Symbol.dispose](): void {},
    ...methods,
  };
}

/** An upstream at `http://upstream.test/`, but for the members that a test replaces. */
export function createFakeUpstream(members: Partial<Upstream> = {}): Upstream {
  return {
    name: "shop",
    resolve: (path) => new URL(path, "http://upstream.test/"),
    decide: (_method, { origin }) =>
      origin === "http://upstream.test"
        ? { allow: true, reason: "upstream:shop", headers: [["x-key", "k"]], route: {} }
        : undefined,
    conceal: (head) => head,
    send: (attempt) => attempt(),
    within: (run) => run(),
    ...members,
  };
}

/** A registry that has one upstream, which is the answer to every name. */
export function createFakeRegistry(upstream: Upstream = createFakeUpstream()): Registry {
  return {
    namesFor: () => [upstream.name],
    find: () => upstream,
    load: () => {},
    [Symbol.dispose](): void {},
  };
}

/** A policy that allows everything at once. */
export const ALLOW_ALL: Policy = { decide: () => ({ allow: true, reason: "test" }) };

/** The limits of {@linkcode createRunnerBench}. */
export const RUNNER_LIMITS = {
  allowMethods: ["GET", "POST", "PUT"],
  maxRequestBytes: 10,
  maxResponseBytes: 100,
  maxStreamBytes: 1_000_000,
  streamIdleMs: 1000,
  timeoutMs: 10_000,
  maxTimeoutMs: 30_000,
  windowBytes: 10,
} as const;

/** An exchange that has been started. */
export interface Running {
  readonly exchange: Exchange;
  readonly outlet: FakeOutlet;
  /** Settles as `run` does. */
  readonly done: Promise<void>;
}

/** A runner and everything around it. */
export interface RunnerBench {
  readonly clock: FakeClock;
  readonly wheel: Wheel;
  readonly telemetry: RecordedTelemetry;
  readonly runner: Runner;
  /** The requests that have reached a destination. */
  readonly calls: readonly Call[];
  /** Runs an exchange. */
  start(request?: Partial<ProxyRequest>, outlet?: FakeOutlet): Running;
  /** Runs as many exchanges as there are places, so that the next one waits. */
  occupy(): readonly Running[];
}

/** Returns the last request that has reached a destination. */
export function lastCall({ calls }: Pick<RunnerBench, "calls">): Call {
  const call = calls.at(-1);
  if (call === undefined) throw new Error("No request was made");
  return call;
}

/** Lets everything happen that waits neither for time nor for the test. */
export async function settle(): Promise<void> {
  for (let turns = 0; turns < 30; turns++) await Promise.resolve();
}

/** The error that a drain ends exchanges with. */
export const DRAINING: ProxyError = new ProxyError("draining", "The server went away", {
  sent: "no",
  retryable: true,
});

/** Creates a runner whose clock stands still, by default without limits and with a policy that allows everything. */
export function createRunnerBench(
  deps: Partial<ExchangeDeps> & { readonly telemetry?: RecordedTelemetry } = {},
): RunnerBench {
  const { telemetry = recordTelemetry() } = deps;
  const clock = createFakeClock();
  const wheel = createWheel(clock);
  const { transport, calls } = createFakeDestination();
  const runner = createRunner(RUNNER_LIMITS, {
    limiter: createFakeLimiter(),
    registry: createFakeRegistry(),
    policy: ALLOW_ALL,
    forward: createForward(transport),
    tracing: undefined,
    turns: createTurns(),
    clock,
    ...deps,
    telemetry,
  });
  let sequence = 0;
  function start(request?: Partial<ProxyRequest>, outlet = createFakeOutlet()): Running {
    const exchange = createBlankExchange(request, { wheel, sequence: ++sequence, id: sequence });
    return { exchange, outlet, done: runner.run(exchange, outlet) };
  }
  return {
    clock,
    wheel,
    telemetry,
    runner,
    calls,
    start,
    occupy: () => Array.from({ length: PLACES }, () => start()),
  };
}
