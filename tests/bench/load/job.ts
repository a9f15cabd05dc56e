/**
 * What a load generator is asked to do, and what it has seen: what goes over its standard streams.
 *
 * @module
 */

/**
 * How an exchange is asked for and answered: wsfetch.v1 with buffered or streamed bodies, the plain dialect
 * (peers speak it too), bodies as bare binary messages, HTTP, the platform's fetch, and the client's.
 */
export type Dialect = "v1" | "v1-streamed" | "plain" | "raw-streamed" | "http" | "fetch" | "client";

/** One round: a closed loop in which each answer makes room for the next request. */
export interface LoadJob {
  readonly dialect: Dialect;
  /** The port of the server under load; not used by `fetch`. */
  readonly port: number;
  /** What to ask for: a URL of the upstream. */
  readonly target: string;
  /** The size of the target's body. */
  readonly bodyBytes: number;
  readonly connections: number;
  /** Exchanges of each connection at a time. HTTP gets so many connections instead. */
  readonly inFlight: number;
  /** How long it is measured. */
  readonly seconds: number;
  /** The processes of the server and of the upstream, whose CPU time is read. */
  readonly serverPids: readonly number[];
  readonly upstreamPids: readonly number[];
}

/** What a round has shown. */
export interface Sample {
  /** Complete answers inside the time measured. */
  readonly exchanges: number;
  /** Answers that say that something failed or have a wrong body, and connections that were lost. */
  readonly failures: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Time on the CPU, user and system. */
  readonly serverCpuSeconds: number;
  readonly upstreamCpuSeconds: number;
  readonly loaderCpuSeconds: number;
  /** The server's largest resident memory inside the round. */
  readonly peakBytes: number;
}

/** Ports of one process, under load in turn. */
export interface TurnsJob
  extends Pick<LoadJob, "dialect" | "target" | "bodyBytes" | "connections" | "inFlight"> {
  readonly ports: readonly number[];
  /** How long each is under load before anything is measured. */
  readonly warmMs: number;
  /** How long a turn is. */
  readonly turnMs: number;
  /** Turns of each. */
  readonly rounds: number;
  readonly serverPids: readonly number[];
}

/** What exchanges have cost. */
export interface TurnsSample {
  /** The server's CPU time for an exchange in microseconds, by round, then by port. */
  readonly rounds: readonly (readonly number[])[];
}

/** Connections that do nothing but stay. */
export interface IdleJob {
  readonly dialect: "v1" | "plain";
  readonly port: number;
  readonly target: string;
  /** So many connections at each step, in growing order. */
  readonly steps: readonly number[];
  /** How long the last step is held. */
  readonly holdSeconds: number;
  readonly serverPids: readonly number[];
}

/** What idle connections cost. */
export interface IdleSample {
  readonly steps: readonly {
    readonly connections: number;
    /** Resident memory beyond that of no connection, for each connection. */
    readonly bytesEach: number;
  }[];
  /** Connections that were refused, that ended, or whose exchange at the end was not answered. */
  readonly failures: number;
  /** The server's CPU time while the last step was held, in seconds of each second. */
  readonly cpu: number;
}
