/**
 * Removes percent-encoding from paths, one layer at a time. Paths are arrays of UTF-16 code units here, since clients
 * choose how often they are encoded: a string for each of thousands of escapes would cost a thousand times more.
 *
 * @module
 */

/** A text as code units. The array continues after the text with at least {@linkcode PADDING} zeros. */
export interface Units {
  readonly memory: Uint16Array<ArrayBuffer>;
  length: number;
}

/** The number of zeros after a text, so that code may look ahead of its end. */
export const PADDING = 8;

const PERCENT = 0x25;
const SMALL_U = 0x75;
const BIT_OF_CASE = 0x20;
const REPLACEMENT = 0xfffd;
const NOT_HEX = 16;
const HEX_VALUES = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(digit) ? NOT_HEX : digit;
});
const UTF16 = new TextDecoder("utf-16le", { ignoreBOM: true });

/** The text had escapes `%hh`. */
export const HAS_BYTES = 1;
/** The decoded text may have characters beyond ASCII. */
export const HAS_NON_ASCII = 2;
/** The text had overlong UTF-8. */
export const HAS_OVERLONG = 4;

/** Creates an empty text with room for `capacity` units. */
export function createUnits(capacity: number): Units {
  return { memory: new Uint16Array(capacity + PADDING), length: 0 };
}

/** Returns a text as code units. */
export function toUnits(text: string): Units {
  const units = createUnits(text.length);
  for (let index = 0; index < text.length; index++) units.memory[index] = text.charCodeAt(index);
  units.length = text.length;
  return units;
}

/** Returns code units as a string. Lone surrogates become U+FFFD. */
export function toText({ memory, length }: Units): string {
  return UTF16.decode(memory.subarray(0, length));
}

/** Sets the length of a text whose units have been written. */
export function endUnits(units: Units, length: number): void {
  units.memory.fill(0, length, length + PADDING);
  units.length = length;
}

/** Returns the value of the escape `%hh` at an index, or -1 if there is none. */
function byteAt(memory: Uint16Array, index: number): number {
  if (memory[index] !== PERCENT) return -1;
  const high = hexValue(memory[index + 1] ?? 0);
  if (high === NOT_HEX) return -1;
  const low = hexValue(memory[index + 2] ?? 0);
  return low === NOT_HEX ? -1 : high << 4 | low;
}

/** Returns the value of the escape `%uhhhh` (Internet Information Services) at an index, or -1 if there is none. */
function unitAt(memory: Uint16Array, index: number): number {
  if (memory[index] !== PERCENT || ((memory[index + 1] ?? 0) | BIT_OF_CASE) !== SMALL_U) return -1;
  let unit = 0;
  for (let at = index + 2; at < index + 6; at++) {
    const digit = hexValue(memory[at] ?? 0);
    if (digit === NOT_HEX) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

/** Returns the value of a hexadecimal digit, or 16. */
function hexValue(unit: number): number {
  return unit < 128 ? HEX_VALUES[unit] ?? NOT_HEX : NOT_HEX;
}

/** Replaces each `%uhhhh` of a text. Returns whether there was one. */
export function decodeUnits(source: Units, target: Units): boolean {
  const { memory, length } = source;
  let at = 0;
  for (let index = 0; index < length; index++) {
    const unit = unitAt(memory, index);
    if (unit >= 0) index += 5;
    target.memory[at++] = unit >= 0 ? unit : memory[index] ?? 0;
  }
  endUnits(target, at);
  return at < length;
}

/**
 * Replaces each run of `%hh` by the text that its bytes are in UTF-8. Bytes that are not UTF-8 become U+FFFD, as the
 * Encoding Standard says. Returns what was found: {@linkcode HAS_BYTES} and others, added up.
 */
export function decodeBytes(source: Units, target: Units): number {
  const { length } = source;
  const from = source.memory;
  const to = target.memory;
  let at = 0;
  let index = 0;
  let all = 0;
  let isOverlong = false;
  while (index < length) {
    const unit = from[index] ?? 0;
    const lead = unit === PERCENT ? byteAt(from, index) : -1;
    if (lead < 0x80) {
      all |= unit;
      to[at++] = lead < 0 ? unit : lead;
      index += lead < 0 ? 1 : 3;
      continue;
    }
    all |= lead;
    if (lead >= 0xc0) isOverlong ||= isOverlongAt(from, index);
    index += 3;
    let missing = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (missing === 0) {
      to[at++] = REPLACEMENT;
      continue;
    }
    // The Encoding Standard, §8.1.1: the second byte of overlong forms, surrogates and what is above U+10FFFF
    let least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    let greatest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    let point = lead & 0x3f >> missing;
    for (; missing > 0; missing--) {
      const byte = byteAt(from, index);
      if (byte < least || byte > greatest) break;
      least = 0x80;
      greatest = 0xbf;
      point = point << 6 | byte & 0x3f;
      index += 3;
    }
    if (missing > 0) to[at++] = REPLACEMENT;
    else if (point < 0x10000) to[at++] = point;
    else {
      to[at++] = 0xd7c0 + (point >> 10);
      to[at++] = 0xdc00 | point & 0x3ff;
    }
  }
  endUnits(target, at);
  return (at < length ? HAS_BYTES : 0) | (all < 0x80 ? 0 : HAS_NON_ASCII) |
    (isOverlong ? HAS_OVERLONG : 0);
}

/** Returns whether a text has overlong UTF-8. */
export function hasOverlong({ memory, length }: Units): boolean {
  for (let index = 0; index < length; index++) {
    if (memory[index] === PERCENT && isOverlongAt(memory, index)) return true;
  }
  return false;
}

/**
 * Returns whether ASCII in UTF-8 of more bytes than necessary (RFC 3629 §3) begins at an index. Also with second bytes
 * of which lenient decoders use some bits only, and with digits that they do not check.
 */
function isOverlongAt(memory: Uint16Array, index: number): boolean {
  if (memory[index + 3] !== PERCENT) return false;
  const second = byteAt(memory, index + 3); // -1: the percent sign has no digits
  switch (byteAt(memory, index)) {
    case 0xc0:
      return second < 0 || (second & 0xc0) === 0x80 || (second & 0x3e) === 0x2e;
    case 0xc1:
      return second < 0 || (second & 0xc0) === 0x80 || (second & 0x3f) === 0x1c;
    case 0xe0:
      return second >= 0x80 && second < 0xa0;
    case 0xf0:
      return second >= 0x80 && second < 0x90;
    case 0xf8:
      return second >= 0x80 && second < 0x88;
    case 0xfc:
      return second >= 0x80 && second < 0x84;
    default:
      return false;
  }
}
