/**
 * An attempt to send a request, as the protection of an upstream sees it.
 *
 * @module
 */
import type { HeaderPairs } from "../protocol/mod.ts";

/** The traits of a request that decide whether it is sent again, and whether its failures count. */
export interface RequestTraits {
  /** In upper case. */
  readonly method: string;
  /** Whether the body can be sent again. */
  readonly replayable: boolean;
  /** Ends waits between attempts; no attempt is made after it is aborted. */
  readonly signal: AbortSignal;
  /** Whether timeouts count against the upstream. `false` if the client chose a shorter time than the operator. */
  readonly countsTimeouts: boolean;
}

/** The response of an attempt. Its body has not been read. */
export interface AttemptResponse {
  readonly status: number;
  /** Names are in lower case. */
  readonly headers: HeaderPairs;
  readonly body: {
    /** Releases the connection without reading the rest of the body. Does not throw. */
    discard(): void;
  };
}
