/**
 * Reduces a path to what matters for whether it may lead outside its base: characters that servers treat alike become
 * the same character, and a run of harmless ones becomes one.
 *
 * @module
 */
import { endUnits, type Units } from "./path_layer.ts";

/** Stands for all characters that some servers drop: spaces, invisible characters, marks, invalid UTF-8. */
export const DROPPED_SYMBOL = 0x20;
/** Stands for the control characters beyond ASCII. */
export const CONTROL_SYMBOL = 0x7f;
/** Stands for all characters, but the slash, that may become a slash or a backslash. */
export const SEPARATOR_SYMBOL = 0x2044;

// The characters that conversions to older character sets turn into a slash or a backslash.
const SEPARATOR = /[\u2044\u2215\u2216\u29f5\u29f8\u00a5\u20a9]/;
const CONTROL = /\p{Cc}/u;
const DROPPED = /[\s\p{Default_Ignorable_Code_Point}\p{M}\ufffd]/u;
const HARMLESS_TEXT = /^ *x[x ]*$/;

const HARMLESS = 0x78; // x
const DOT = 0x2e;
const PERCENT = 0x25;
const SMALL_U = 0x75;
const BIT_OF_CASE = 0x20;

// How an ASCII character is treated.
const PLAIN = 0; // harmless
const DIGIT = 1; // a part of %hh or %uhhhh
const BLANK = 2; // dropped by some servers
const SPECIAL = 3; // kept as it is
const PERCENT_SIGN = 4;
const SURROGATE = 5; // a half of a pair: may become anything once the other half is its neighbour
const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  if (/[\da-fu]/i.test(character)) return DIGIT;
  if (/\s/.test(character)) return BLANK;
  if (character === "%") return PERCENT_SIGN;
  return /[\p{Cc}/\\.;?#]/u.test(character) ? SPECIAL : PLAIN;
});
// Ten layers of %uhhhh need five digits each; the digits after them can never become part of an escape.
const MAX_DIGITS = 64;
// A layer changes the last of a run of percent signs only.
const MAX_PERCENTS = 16;

const SYMBOLS_LENGTH = 0x20000;
const SEVERAL = 0xffff;
// Code points that were met before: their symbol, or SEVERAL. 0: not met.
const symbols = new Uint16Array(SYMBOLS_LENGTH);
const sequences = new Map<number, readonly number[]>();

/** What {@linkcode reduce} has found in a text. */
export interface Found {
  /** Whether a text had characters that some servers drop. */
  dropped: boolean;
  /** Whether the text may have an escape `%uhhhh`. */
  units: boolean;
}

/**
 * Replaces the characters of a text beyond ASCII by their symbols. Halves of a surrogate pair stay until they are
 * neighbours.
 */
export function translate(source: Units, target: Units): void {
  const { memory, length } = source;
  const to = target.memory;
  let at = 0;
  for (let index = 0; index < length; index++) {
    let point = memory[index] ?? 0;
    if (point >= 0xd800 && point < 0xdc00) {
      const next = memory[index + 1] ?? 0;
      if (next >= 0xdc00 && next < 0xe000) {
        point = 0x10000 + (point - 0xd800 << 10) + next - 0xdc00;
        index++;
      }
    }
    const symbol = symbolOf(point);
    if (symbol !== SEVERAL) to[at++] = symbol;
    else for (const part of sequences.get(point) ?? []) to[at++] = part;
  }
  endUnits(target, at);
}

/**
 * Leaves out what cannot matter of a text that consists of symbols.
 *
 * @param found Set where something was found.
 * @param drop Whether characters that some servers drop are removed.
 */
export function reduce(source: Units, target: Units, { found, drop }: {
  readonly found: Found;
  readonly drop: boolean;
}): void {
  const { memory, length } = source;
  const to = target.memory;
  let at = 0;
  let last = 0;
  let digits = MAX_DIGITS; // since the last percent sign
  let percents = 0; // one after the other
  let hasUnits = false;
  for (let index = 0; index < length; index++) {
    const symbol = memory[index] ?? 0;
    const kind = kindOf(symbol);
    if (kind === DIGIT && digits < MAX_DIGITS) {
      hasUnits ||= last === PERCENT && (symbol | BIT_OF_CASE) === SMALL_U;
      digits++;
      percents = 0;
      to[at++] = last = symbol;
      continue;
    }
    if (kind === SURROGATE) {
      percents = 0;
      to[at++] = last = symbol;
      continue;
    }
    if (kind === PERCENT_SIGN) {
      digits = 0;
      if (percents++ < MAX_PERCENTS) to[at++] = last = symbol;
      continue;
    }
    if (kind === BLANK) {
      found.dropped = true;
      if (drop) continue;
    }
    // The percent sign before can no longer become an escape, nor be a part of overlong UTF-8.
    if (digits < 2 && isEnd(kindOf(to[at - digits - 2] ?? 0))) {
      at -= digits;
      to[at - 1] = last = HARMLESS;
      if (at > 1 && to[at - 2] === HARMLESS) at--;
    }
    digits = MAX_DIGITS;
    percents = 0;
    if (kind === SPECIAL || kind === BLANK) to[at++] = last = symbol;
    else if (last !== HARMLESS) to[at++] = last = HARMLESS;
  }
  found.units = hasUnits;
  endUnits(target, at);
}

function kindOf(symbol: number): number {
  if (symbol < 128) return KINDS[symbol] ?? SPECIAL;
  return symbol === SEPARATOR_SYMBOL ? SPECIAL : SURROGATE;
}

/** Returns whether no escape can go beyond a symbol of this kind. */
function isEnd(kind: number): boolean {
  return kind < DIGIT || kind === BLANK || kind === SPECIAL;
}

function symbolOf(point: number): number {
  if (point < 128 || point >= 0xd800 && point < 0xe000) return point;
  if (point < SYMBOLS_LENGTH) return symbols[point] || meet(point);
  return point >= 0xe0000 && point < 0xe1000 ? DROPPED_SYMBOL : HARMLESS;
}

/** Finds the symbol of a code point by Unicode's properties. */
function meet(point: number): number {
  // NFKD replaces the same compatibility characters as NFKC, and joins no mark with the "e" of "%2e".
  const found = Array.from(String.fromCodePoint(point).normalize("NFKD"), classify);
  if (HARMLESS_TEXT.test(String.fromCharCode(...found))) return symbols[point] = HARMLESS;
  const [first] = found;
  if (first !== undefined && found.length === 1) return symbols[point] = first;
  sequences.set(point, found);
  return symbols[point] = SEVERAL;
}

function classify(character: string): number {
  const code = character.charCodeAt(0);
  if (code < 128) return KINDS[code] === PLAIN ? HARMLESS : code;
  if (CONTROL.test(character)) return CONTROL_SYMBOL;
  if (DROPPED.test(character)) return DROPPED_SYMBOL;
  if (SEPARATOR.test(character)) return SEPARATOR_SYMBOL;
  return character === "\u3002" ? DOT : HARMLESS;
}
