/**
 * Parses the JSON of frames in a time that depends on their length alone: `JSON.parse` takes up to a hundred times as long
 * for a JSON body of many lists or levels, of which only the text is needed.
 *
 * @module
 */
import { ProxyError } from "../protocol/mod.ts";
import { endOfString, findMember, sliceMember } from "../protocol/verbatim.ts";
import { isJson } from "./json_check.ts";

// A shorter text takes JSON.parse a few milliseconds at most.
const MAX_SHORT_LENGTH = 16_384;
// More than any valid frame has outside its body: 1000 header fields as pairs, and 1000 query parameters.
const MAX_VALUES = 10_000;
const [QUOTE, COMMA, OPENING, BRACKET_BITS] = [0x22, 0x2c, 0x7b, 0x20] as const;

/**
 * Parses the text of a frame. A list or an object in the member `body` is checked, and may be replaced by an empty one:
 * its text is to be read by `sliceMember`, or its value by {@linkcode parseMember}.
 *
 * @throws {SyntaxError} The text is not JSON.
 * @throws {ProxyError} `bad_frame`: there are too many values outside the body.
 */
export function parseFrameText(text: string, body: string): unknown {
  return text.length <= MAX_SHORT_LENGTH
    ? JSON.parse(text)
    : parseBounded(withoutBody(text, findMember(text, body)));
}

/**
 * Returns the value of a member of a frame that {@linkcode parseFrameText} has parsed with `value` as the member's value.
 *
 * @throws {ProxyError} `bad_frame`: the value consists of too many values.
 */
export function parseMember(text: string, name: string, value: unknown): unknown {
  return text.length <= MAX_SHORT_LENGTH ? value : parseBounded(sliceMember(text, name) ?? "null");
}

function withoutBody(text: string, body: readonly [number, number] | undefined): string {
  const slice = body === undefined ? "" : text.slice(...body);
  const [, opening] = /^[ \t\r\n]*([[{])/.exec(slice) ?? [];
  if (body === undefined || opening === undefined) return text;
  if (!isJson(new TextEncoder().encode(slice), Infinity)) {
    throw new SyntaxError("The body is not JSON");
  }
  return text.slice(0, body[0]) + (opening === "[" ? "[]" : "{}") + text.slice(body[1]);
}

function parseBounded(text: string): unknown {
  let values = 0;
  for (let at = 0; at < text.length; at++) {
    const sign = text.charCodeAt(at);
    if (sign === QUOTE) at = endOfString(text, at) - 1;
    else if (sign === COMMA || (sign | BRACKET_BITS) === OPENING) values++;
  }
  if (values <= MAX_VALUES) return JSON.parse(text);
  throw new ProxyError(
    "bad_frame",
    `A frame may have at most ${MAX_VALUES} values outside its body`,
  );
}
