/**
 * What the coordinator and its workers tell each other.
 *
 * @module
 */
import type { MetricsSnapshot } from "../telemetry/metrics.ts";
import type { Shared } from "./shared.ts";

/** What named upstreams are read from, so that all workers read the same. */
export interface SourceTexts {
  readonly env: Readonly<Record<string, string>>;
  /** Texts by path. */
  readonly files: Readonly<Record<string, string>>;
}

/** The first message to a worker. */
export interface StartMessage {
  readonly type: "start";
  /** Which one it is, from 0. */
  readonly index: number;
  readonly sources: SourceTexts;
  readonly shared: Shared;
}

/** From the coordinator to a worker. */
export type ToWorker =
  | StartMessage
  | { readonly type: "listen"; readonly port: number }
  /** Asks for `reloaded`. */
  | { readonly type: "reload"; readonly sources: SourceTexts }
  /** Asks for `measured`. */
  | { readonly type: "measure" }
  /** Answers `render`, in their order; `undefined`: that has failed. */
  | { readonly type: "rendered"; readonly text: string | undefined }
  /** Asks for `drained`. */
  | { readonly type: "drain" }
  /** Asks for `closed`. */
  | { readonly type: "close" };

/** From a worker to the coordinator. */
export type FromWorker =
  /** It has read its settings. */
  | { readonly type: "ready" }
  | { readonly type: "listening"; readonly url: string; readonly port: number }
  | { readonly type: "unable"; readonly problem: string }
  | { readonly type: "reloaded" }
  | { readonly type: "measured"; readonly snapshot: MetricsSnapshot }
  /** Asks for the metrics of the service, as `rendered`. */
  | { readonly type: "render" }
  | { readonly type: "drained" }
  | { readonly type: "closed" }
  /** It is no more. The last message. */
  | { readonly type: "ended"; readonly reason: string };
