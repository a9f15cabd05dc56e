/**
 * Finds what in a path could lead a server outside the base of an upstream, in any encoding. The time it takes grows
 * linearly with the length of the path.
 *
 * @module
 */
import {
  createUnits,
  decodeBytes,
  decodeUnits,
  HAS_BYTES,
  HAS_NON_ASCII,
  HAS_OVERLONG,
  hasOverlong,
  toText,
  toUnits,
  type Units,
} from "./path_layer.ts";
import {
  CONTROL_SYMBOL,
  DROPPED_SYMBOL,
  type Found,
  reduce,
  SEPARATOR_SYMBOL,
  translate,
} from "./path_symbols.ts";

// A URL inside a URL inside a URL is encoded three times; more than eight times is never needed.
const MAX_DECODINGS = 8;

const TOO_MANY_LAYERS = "is percent-encoded too many times";
const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const DOT = 0x2e;
const SEMICOLON = 0x3b;
const QUESTION_MARK = 0x3f;
const NUMBER_SIGN = 0x23;

/**
 * Returns a path as it is, and each of its decodings until nothing is left to decode or there are too many. Escapes
 * that are not UTF-8 are decoded to U+FFFD.
 */
export function readingsOf(path: string): readonly string[] {
  const readings = [path];
  if (!path.includes("%")) return readings;
  const units = toUnits(path);
  const spare = createUnits(path.length);
  while (readings.length <= MAX_DECODINGS + 1) {
    const hasUnits = decodeUnits(units, spare);
    const bytes = decodeBytes(spare, units);
    if (!hasUnits && (bytes & HAS_BYTES) === 0) break;
    readings.push(toText(units));
  }
  return readings;
}

/** Returns why a path, which begins with a slash, may lead outside its base; `undefined` if it cannot. */
export function findEscape(path: string): string | undefined {
  const text = toUnits(path.normalize("NFKD"));
  const found: Found = { dropped: false, units: false };
  const kept = findEscapeIn(text, { found, drop: false });
  if (kept === TOO_MANY_LAYERS || !found.dropped) return kept;
  // Characters that a server drops may stand inside "%2e".
  const dropped = findEscapeIn(text, { found, drop: true });
  return dropped === TOO_MANY_LAYERS ? dropped : kept ?? dropped;
}

/**
 * Decodes a text layer by layer. Only overlong UTF-8 has to be looked for in every layer: all else that is looked for
 * stays in the text once it is decoded.
 */
function findEscapeIn(
  text: Units,
  options: { readonly found: Found; readonly drop: boolean },
): string | undefined {
  const { found } = options;
  const units = createUnits(text.length);
  const spare = createUnits(text.length);
  const decoded = createUnits(text.length);
  let isOverlong = false;
  translate(text, spare);
  reduce(spare, units, options);
  for (let layers = 0;; layers++) {
    const hasUnits = found.units && decodeUnits(units, spare);
    const bytes = decodeBytes(hasUnits ? spare : units, decoded);
    if (!hasUnits && (bytes & HAS_BYTES) === 0) {
      if (isOverlong) return "must not contain overlong UTF-8";
      translate(units, spare); // halves of pairs may have become neighbours
      return findFault(spare);
    }
    if (layers === MAX_DECODINGS) return TOO_MANY_LAYERS;
    isOverlong ||= hasUnits ? hasOverlong(units) : (bytes & HAS_OVERLONG) !== 0;
    if ((bytes & HAS_NON_ASCII) === 0) reduce(decoded, units, options);
    else {
      translate(decoded, spare);
      reduce(spare, units, options);
    }
  }
}

/** Returns what is wrong with a reduced text in which nothing is left to decode. */
function findFault({ memory, length }: Units): string | undefined {
  if (memory[0] === SLASH && memory[1] === SLASH) {
    return 'must not begin with two slashes, nor with "/%2F"';
  }
  let dots = 0;
  let isDotSegment = true;
  let isEnded = false;
  let hasDotSegment = false;
  for (let index = 0; index <= length; index++) {
    const unit = memory[index] ?? 0;
    if (unit === SLASH || unit === SEPARATOR_SYMBOL || index === length) {
      hasDotSegment ||= isDotSegment && dots > 0;
      [dots, isDotSegment, isEnded] = [0, true, false];
    } else if (unit === BACKSLASH) return "must not contain a backslash, in any encoding";
    else if (unit < DROPPED_SYMBOL || unit === CONTROL_SYMBOL) {
      return "must not contain an encoded control character";
    } else if (isEnded || unit === DROPPED_SYMBOL) continue;
    else if (unit === SEMICOLON || unit === QUESTION_MARK || unit === NUMBER_SIGN) isEnded = true;
    else if (unit !== DOT || ++dots > 2) isDotSegment = false;
  }
  return hasDotSegment ? 'must not contain the segments "." and "..", in any encoding' : undefined;
}
