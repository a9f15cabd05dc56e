/**
 * The stages of an exchange, and what its error says when the exchange ends in one.
 *
 * @module
 */
import type { ErrorCode, Sent } from "../protocol/mod.ts";

interface StageTraits {
  /** The code of the error when the time is over. */
  readonly code: ErrorCode;
  /** The message of the error when the time is over, without the time. */
  readonly late: string;
  /** Whether the destination may have acted on the request. */
  readonly sent: Sent;
}

/** The stages in their order. */
export const STAGES = {
  /** The exchange waits for the limits of its client. */
  limit: { code: "http_response_timeout", late: "The request could not be made", sent: "no" },
  /** The exchange waits for its turn. */
  place: { code: "http_response_timeout", late: "The request could not be made", sent: "no" },
  /** The host of the next hop is looked up. */
  lookup: { code: "dns_timeout", late: "The host could not be resolved", sent: "no" },
  /** The request waits for a connection; nothing of it was sent. */
  connect: {
    code: "connection_timeout",
    late: "There was no connection to the destination",
    sent: "no",
  },
  /** The request is made; the head of the response has not arrived. */
  head: { code: "http_response_timeout", late: "There was no response", sent: "maybe" },
  /** The body is read whole. */
  body: { code: "http_response_timeout", late: "The response was not complete", sent: "yes" },
  /** The body is delivered as it arrives. */
  stream: { code: "http_response_timeout", late: "The response did not go on", sent: "yes" },
} as const satisfies Record<string, StageTraits>;

/** How far an exchange has come. */
export type Stage = keyof typeof STAGES;
