/**
 * The messages between the coordinator and its workers.
 *
 * @module
 */
import type { MetricsSnapshot } from "../telemetry/metrics.ts";
import type { SharedMemory } from "./shared_memory.ts";

/** The texts from which workers read the named upstreams, so that all of them read the same. */
export interface SourceTexts {
  /** Environment variables by name. */
  readonly env: Readonly<Record<string, string>>;
  /** Contents of files by path. */
  readonly files: Readonly<Record<string, string>>;
}

/** The first message to a worker. */
export interface StartMessage {
  readonly type: "start";
  /** The worker's index, from 0. */
  readonly index: number;
  readonly sources: SourceTexts;
  readonly shared: SharedMemory;
}

/** A message to a worker that has been started. */
export type WorkerCommand =
  | { readonly type: "listen"; readonly port: number }
  /** The worker replies with `reloaded`. */
  | { readonly type: "reload"; readonly sources: SourceTexts }
  /** The worker replies with `measured`, unless metrics are off. */
  | { readonly type: "measure" }
  /** The reply to `render`, in the order of the requests; `text` is `undefined` if rendering failed. */
  | { readonly type: "rendered"; readonly text: string | undefined }
  /** The worker replies with `drained`. */
  | { readonly type: "drain" }
  /** The worker replies with `closed`. */
  | { readonly type: "close" };

/** A message from the coordinator to a worker. */
export type ToWorker = StartMessage | WorkerCommand;

/** A message from a worker to the coordinator. */
export type FromWorker =
  /** The worker has read its settings. */
  | { readonly type: "ready" }
  | { readonly type: "listening"; readonly url: string; readonly port: number }
  /** The worker cannot listen. */
  | { readonly type: "unable"; readonly problem: string }
  | { readonly type: "reloaded" }
  | { readonly type: "measured"; readonly snapshot: MetricsSnapshot }
  /** Asks for the metrics of all workers; the coordinator replies with `rendered`. */
  | { readonly type: "render" }
  | { readonly type: "drained" }
  | { readonly type: "closed" }
  /** Sent when the worker has exited; no message follows. */
  | { readonly type: "ended"; readonly reason: string };

/** A message from a worker that has one of these types. */
export type FromWorkerOfType<Type extends FromWorker["type"]> = Extract<FromWorker, { type: Type }>;
