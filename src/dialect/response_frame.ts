/**
 * Writes the response frames of wsfetch.v1; `src/protocol/response.ts` reads them.
 *
 * @module
 */
import type {
  ResponseFrame,
  ResponseHead,
  StreamedResponse,
  Timing,
  WholeResponse,
} from "../protocol/mod.ts";
import { contentTypeOf } from "../protocol/response.ts";
import { formBody, formBodyInSteps, type FrameBody, joinInSteps } from "./body_form.ts";

/**
 * Returns the text of a response frame with its body. A JSON body is copied into the frame byte for byte.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { encodeResponse } from "./response_frame.ts";
 *
 * const frame = encodeResponse(1, {
 *   response: {
 *     status: 200, statusText: "OK", url: "https://api.example.com/", redirected: false,
 *     headers: [["content-type", "application/json"]],
 *     body: new TextEncoder().encode("[12345678901234567890, 1.0]"),
 *   },
 *   timing: { waitMs: 12.5, totalMs: 13 },
 * });
 * assertStringIncludes(frame, '"json":[12345678901234567890, 1.0]}');
 * ```
 */
export function encodeResponse(id: number, whole: WholeResponse): string {
  const head = encodeHead(id, whole);
  const { body } = whole.response;
  if (body === null) return head;
  const { kind, value } = formBody(toFrameBody(body, whole));
  return `${head.slice(0, -1)},"${kind}":${value}}`;
}

/** Does the same as {@linkcode encodeResponse} in steps that take a few milliseconds at most; yields between them. */
export function* encodeResponseInSteps(
  id: number,
  whole: WholeResponse,
): Generator<undefined, string> {
  const head = encodeHead(id, whole);
  const { body } = whole.response;
  if (body === null) return head;
  const { kind, pieces } = yield* formBodyInSteps(toFrameBody(body, whole));
  return yield* joinInSteps([head.slice(0, -1), `,"${kind}":`, ...pieces, "}"]);
}

/** Returns the text of a response frame whose body follows in frames of its own. */
export function encodeStreamedResponse(
  id: number,
  { head, timing, requestId }: StreamedResponse,
): string {
  return JSON.stringify({ ...toFrame(id, head, { timing, requestId }), stream: true });
}

function encodeHead(id: number, { response, timing, requestId }: WholeResponse): string {
  return JSON.stringify(toFrame(id, response, { timing, requestId }));
}

function toFrameBody(bytes: Uint8Array, { response, asBytes }: WholeResponse): FrameBody {
  return { bytes, contentType: asBytes === true ? undefined : contentTypeOf(response.headers) };
}

function toFrame(
  id: number,
  { status, statusText, url, redirected, headers }: ResponseHead,
  { timing, requestId }: { readonly timing: Timing; readonly requestId: string | undefined },
): Omit<ResponseFrame, "requestId"> & { readonly requestId: string | undefined } {
  return { type: "response", id, requestId, status, statusText, url, redirected, headers, timing };
}
