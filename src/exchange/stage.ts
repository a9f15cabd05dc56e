/**
 * The stages of an exchange, and what each says when the exchange ends in it.
 *
 * @module
 */
import type { ErrorCode, Sent } from "../protocol/mod.ts";

interface StageTraits {
  /** The code of the error when the time is over. */
  readonly code: ErrorCode;
  /** What had not happened in time. */
  readonly late: string;
  /** Whether the destination may have acted on the request. */
  readonly sent: Sent;
}

/** What holds while an exchange is in a stage, in the order of the stages. */
export const STAGES = {
  /** It waits for the limits of its identity. */
  limit: { code: "http_response_timeout", late: "The request could not be made", sent: "no" },
  /** It waits for its turn. */
  place: { code: "http_response_timeout", late: "The request could not be made", sent: "no" },
  /** The host of the next hop is looked up. */
  lookup: { code: "dns_timeout", late: "The host could not be resolved", sent: "no" },
  /** The request is made; the head of the response has not arrived. */
  head: { code: "http_response_timeout", late: "There was no response", sent: "maybe" },
  /** The body is read whole. */
  body: { code: "http_response_timeout", late: "The response was not complete", sent: "yes" },
  /** The body is passed on as it arrives. */
  stream: { code: "http_response_timeout", late: "The response did not go on", sent: "yes" },
} as const satisfies Record<string, StageTraits>;

/** How far an exchange has come. */
export type Stage = keyof typeof STAGES;
