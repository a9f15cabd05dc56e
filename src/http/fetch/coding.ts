/**
 * The content coding that Deno's `fetch` decodes: gzip or br, if it is the first that the response names.
 *
 * @module
 */
import type { HeaderPairs } from "../../protocol/mod.ts";
import { findField, trimOws } from "../grammar.ts";

/** What `fetch` has done with the coding of a response. */
export interface FetchCoding {
  /** Whether the body is decoded, and has no other coding. */
  readonly decoded: boolean;
  /** Whether the body may be decoded in part, or wrongly, so that reading it may fail for that. */
  readonly mayBeDecoded: boolean;
  /** The fields of the response, without a `content-length` that may be that of other bytes than the body's. */
  readonly headers: HeaderPairs;
}

/**
 * Returns what `fetch` has done with the coding of a response. Several `content-encoding` fields and one field with a
 * list look the same in what it returns. It decodes the first of several fields, and nothing if there is a list.
 *
 * @param request The fields of the request, in any case.
 * @param response The fields that `fetch` returns.
 */
export function fetchCoding(request: HeaderPairs, response: HeaderPairs): FetchCoding {
  const value = findField(response, "content-encoding")?.toLowerCase();
  const [first = ""] = value?.split(",") ?? [];
  if (first !== "gzip" && first !== "br" || leavesCoded(request)) {
    return { decoded: false, mayBeDecoded: false, headers: response };
  }
  if (first === value) return { decoded: true, mayBeDecoded: true, headers: response };
  const headers = response.filter(([name]) => name !== "content-length");
  return { decoded: false, mayBeDecoded: true, headers };
}

/**
 * Returns the fields that make `fetch` leave the body coded: it does so if the first `accept-encoding` is `identity`.
 * That changes nothing of what is accepted (RFC 9110 §12.5.3), but a server may read the first field alone.
 */
export function toUndecoded(request: HeaderPairs): HeaderPairs {
  if (leavesCoded(request)) return request;
  const isNamed = request.some(([name]) => name.toLowerCase() === "accept-encoding");
  const identity = ["accept-encoding", "identity"] as const;
  return isNamed ? [identity, ...request] : [identity, ...request, ["accept-encoding", "gzip"]];
}

/** Reports whether `fetch` leaves the bodies of all responses to a request coded. */
function leavesCoded(request: HeaderPairs): boolean {
  const field = (wanted: string) => request.find(([name]) => name.toLowerCase() === wanted)?.[1];
  return field("range") !== undefined ||
    trimOws(field("accept-encoding") ?? "").toLowerCase() === "identity";
}
