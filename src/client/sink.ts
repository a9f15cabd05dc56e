/**
 * Where the answer to a request goes.
 *
 * @module
 */
import type { Answer } from "./inbound.ts";

/** Takes the answer to a request. */
export interface Sink {
  /**
   * Takes the next part of the answer; gives `true` when it was the last.
   *
   * @throws When the part makes no sense here.
   */
  accept(answer: Answer): boolean;
  /** There will be no more, for this reason. */
  fail(reason: unknown): void;
}

/** What a {@linkcode Sink} may ask for. */
export interface Control {
  /** Gives the server credit. */
  grant(bytes: number): void;
  /** Ends the exchange; the sink hears no more. */
  cancel(): void;
}
