/**
 * The errors after which a connection takes no more, but the next one will.
 *
 * @module
 */
import type { ProxyError } from "../protocol/mod.ts";

/** Says whether the server goes away, or the connection's credential has expired. */
export function isFarewell({ code }: ProxyError): boolean {
  return code === "draining" || code === "unauthorized";
}
