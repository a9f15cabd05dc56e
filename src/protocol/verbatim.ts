/**
 * Copies the value of a member out of a JSON text as it is written there, so that large numbers, `1.0` and
 * the order of keys reach the destination unchanged.
 *
 * @module
 */

const [QUOTE, COMMA] = [0x22, 0x2c] as const;
// A bracket and a brace differ in one bit.
const [OPENING, CLOSING, BRACKET_BITS] = [0x7b, 0x7d, 0x20] as const;

/**
 * Returns the text of the value of a top-level member, with the blanks around it, or `undefined` if there is
 * no such member. If a name is repeated, its last value is used, as `JSON.parse` does.
 *
 * @param text A JSON object that `JSON.parse` has accepted; for any other text the result is unspecified.
 * @param name The name of the member.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { sliceMember } from "./verbatim.ts";
 *
 * assertEquals(sliceMember('{"id": 1, "json": {"n": 1.0}}', "json"), ' {"n": 1.0}');
 * ```
 */
export function sliceMember(text: string, name: string): string | undefined {
  const found = findMember(text, name);
  return found && text.slice(...found);
}

/**
 * Returns where {@linkcode sliceMember} begins and ends. Takes any text, in linear time. If it is JSON with the slice
 * replaced by another JSON value, the position of the slice is right.
 */
export function findMember(text: string, name: string): readonly [number, number] | undefined {
  let found: readonly [number, number] | undefined;
  let at = skipBlank(text, text.indexOf("{") + 1);
  while (text[at] === '"') {
    const keyEnd = endOfString(text, at);
    const start = text.indexOf(":", keyEnd) + 1;
    if (start === 0) break; // not JSON
    const end = skipBlank(text, endOfValue(text, skipBlank(text, start)));
    if (isName(text, at, keyEnd, name)) found = [start, end];
    at = end;
    if (text[at] === ",") at = skipBlank(text, at + 1);
  }
  return found;
}

/** Reports whether the string from `start` to `end`, with its quotes, is this name, possibly with escapes. */
function isName(text: string, start: number, end: number, name: string): boolean {
  if (end - start === name.length + 2 && text.startsWith(name, start + 1)) return true;
  const key = text.slice(start, end);
  return key.includes("\\") && JSON.parse(key) === name;
}

function skipBlank(text: string, at: number): number {
  while (at < text.length && text.charCodeAt(at) <= 0x20) at++;
  return at;
}

/** Returns where a string of JSON ends, after its quote, given where it begins. */
export function endOfString(text: string, start: number): number {
  for (let at = start + 1;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let escapes = quote;
    while (text[escapes - 1] === "\\") escapes--;
    at = quote + 1;
    if ((quote - escapes) % 2 === 0) return at;
  }
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const sign = text.charCodeAt(at);
    if (sign === QUOTE) {
      at = endOfString(text, at) - 1;
      if (depth === 0) return at + 1;
    } else if (sign === COMMA) {
      if (depth === 0) return at;
    } else if ((sign | BRACKET_BITS) === OPENING) {
      depth++;
    } else if ((sign | BRACKET_BITS) === CLOSING) {
      if (depth === 0) return at; // the end of the object that the number or literal is in
      if (--depth === 0) return at + 1;
    }
  }
  return text.length;
}
