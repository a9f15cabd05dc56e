/**
 * Checks on bytes whether they are JSON (RFC 8259), in steps of any size and without building values.
 *
 * @module
 */

/** How deep the arrays and objects of a JSON body may be nested in a frame; a deeper body is sent as text. */
export const MAX_JSON_DEPTH = 10_000;

// What is expected next. A number or a string may continue after the end of a step.
const [VALUE, FIRST_VALUE, KEY, FIRST_KEY, COLON, AFTER_VALUE] = [0, 1, 2, 3, 4, 5] as const;
const [IN_STRING, IN_KEY, IN_ZERO, IN_INTEGER, IN_FRACTION, IN_EXPONENT] = [
  6,
  7,
  8,
  9,
  10,
  11,
] as const;

const [TAB, LINE_FEED, CARRIAGE_RETURN, SPACE] = [0x09, 0x0a, 0x0d, 0x20] as const;
const [QUOTE, BACKSLASH, COMMA, COLON_SIGN, DOT] = [0x22, 0x5c, 0x2c, 0x3a, 0x2e] as const;
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d] as const;
const [PLUS, MINUS, ZERO, NINE, LOWER_E, LOWER_U] = [0x2b, 0x2d, 0x30, 0x39, 0x65, 0x75] as const;
const LOWER_CASE = 0x20;
const ESCAPED = toBytes('"\\/bfnrt');
const [TRUE, FALSE, NULL] = [toBytes("true"), toBytes("false"), toBytes("null")] as const;

// For each byte, whether it stands for itself in a string: 1, or 0 for quotes, backslashes and control characters.
const IS_PLAIN = Uint8Array.from(
  { length: 256 },
  (_, byte) => byte < SPACE || byte === QUOTE || byte === BACKSLASH ? 0 : 1,
);

const INVALID = -1;
// The kinds of so many levels are kept in one number, as bits.
const LEVELS_PER_NUMBER = 32;

/**
 * Reports whether bytes are JSON that is nested no deeper than {@linkcode MAX_JSON_DEPTH}, as `JSON.parse` does for the
 * text that they encode.
 *
 * @param bytes Valid UTF-8; only the bytes of ASCII are looked at.
 */
export function isJson(bytes: Uint8Array): boolean {
  return new JsonCheck(bytes).read(bytes.length) === true;
}

/** The check of a body in steps, for which the caller decides when each is made. */
export class JsonCheck {
  readonly #bytes: Uint8Array;
  #at = 0;
  #state: number = VALUE;
  #depth = 0;
  /** A bit for each of the innermost levels: whether it is an object. The last bit is that of the innermost one. */
  #kinds = 0;
  readonly #outerKinds: number[] = [];

  /** @param bytes Valid UTF-8, of which only the bytes of ASCII are looked at. They must not change meanwhile. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * Reads the next bytes. Returns whether all bytes are JSON as soon as that is known, before that `undefined`.
   *
   * @param count How many bytes to read; a few more are read if an escape or a literal follows there.
   */
  read(count: number): boolean | undefined {
    const bytes = this.#bytes;
    const until = Math.min(bytes.length, this.#at + count);
    let state = this.#state;
    let at = this.#at;
    while (at < until) {
      if (state === IN_STRING || state === IN_KEY) {
        at = skipText(bytes, at, until);
        if (at === INVALID) return false;
        if (at >= until) break;
        state = state === IN_KEY ? COLON : AFTER_VALUE;
        at++;
        continue;
      }
      if (state >= IN_INTEGER) at = skipDigits(bytes, at, until);
      if (at >= until) break;
      const byte = bytes[at] ?? 0;
      if (state >= IN_ZERO) {
        const exponent = state < IN_EXPONENT && (byte | LOWER_CASE) === LOWER_E;
        if (!exponent && (byte !== DOT || state > IN_INTEGER)) {
          state = AFTER_VALUE;
          continue;
        }
        at = exponent ? skipSign(bytes, at + 1) : at + 1;
        if (!isDigit(bytes, at)) return false;
        state = exponent ? IN_EXPONENT : IN_FRACTION;
      } else if (byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB) {
        at++;
      } else if (state === AFTER_VALUE) {
        if (this.#depth === 0) return false;
        const isObject = (this.#kinds & 1) === 1;
        if (byte === COMMA) state = isObject ? KEY : VALUE;
        else if (byte !== (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) return false;
        else this.#close();
        at++;
      } else if (state === COLON) {
        if (byte !== COLON_SIGN) return false;
        state = VALUE;
        at++;
      } else if (byte === QUOTE) {
        state = state === KEY || state === FIRST_KEY ? IN_KEY : IN_STRING;
        at++;
      } else if (state === KEY || state === FIRST_KEY) {
        if (state === KEY || byte !== CLOSE_OBJECT) return false;
        this.#close();
        state = AFTER_VALUE;
        at++;
      } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
        if (this.#depth === MAX_JSON_DEPTH) return false;
        this.#open(byte === OPEN_OBJECT);
        state = byte === OPEN_OBJECT ? FIRST_KEY : FIRST_VALUE;
        at++;
      } else if (byte === CLOSE_ARRAY && state === FIRST_VALUE) {
        this.#close();
        state = AFTER_VALUE;
        at++;
      } else if (byte === MINUS || isDigit(bytes, at)) {
        if (byte === MINUS) at++;
        if (!isDigit(bytes, at)) return false;
        state = bytes[at] === ZERO ? IN_ZERO : IN_INTEGER;
        at++;
      } else {
        at = skipLiteral(bytes, at);
        if (at === INVALID) return false;
        state = AFTER_VALUE;
      }
    }
    this.#at = at;
    this.#state = state;
    if (at < bytes.length) return undefined;
    return this.#depth === 0 && (state === AFTER_VALUE || state >= IN_ZERO);
  }

  #open(isObject: boolean): void {
    if (this.#depth % LEVELS_PER_NUMBER === 0) this.#outerKinds.push(this.#kinds);
    this.#kinds = this.#kinds << 1 | (isObject ? 1 : 0);
    this.#depth++;
  }

  #close(): void {
    this.#depth--;
    this.#kinds = this.#depth % LEVELS_PER_NUMBER === 0
      ? this.#outerKinds.pop() ?? 0
      : this.#kinds >>> 1;
  }
}

/** Returns where the text of a string ends: at its quote, or at `until` or soon after; {@linkcode INVALID} */
function skipText(bytes: Uint8Array, from: number, until: number): number {
  let at = from;
  for (;;) {
    while (at < until && IS_PLAIN[bytes[at] ?? 0] === 1) at++;
    if (at >= until || bytes[at] === QUOTE) return at;
    at = bytes[at] === BACKSLASH ? skipEscape(bytes, at) : INVALID;
    if (at === INVALID) return INVALID;
  }
}

function skipEscape(bytes: Uint8Array, at: number): number {
  const byte = bytes[at + 1] ?? 0;
  if (byte !== LOWER_U) return ESCAPED.includes(byte) ? at + 2 : INVALID;
  for (let digit = at + 2; digit < at + 6; digit++) {
    if (!isHexDigit(bytes[digit] ?? 0)) return INVALID;
  }
  return at + 6;
}

function skipDigits(bytes: Uint8Array, from: number, until: number): number {
  let at = from;
  while (at < until && isDigit(bytes, at)) at++;
  return at;
}

function skipSign(bytes: Uint8Array, at: number): number {
  return bytes[at] === PLUS || bytes[at] === MINUS ? at + 1 : at;
}

function skipLiteral(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  const literal = first === TRUE[0] ? TRUE : first === FALSE[0] ? FALSE : NULL;
  for (let offset = 0; offset < literal.length; offset++) {
    if (bytes[at + offset] !== literal[offset]) return INVALID;
  }
  return at + literal.length;
}

function isDigit(bytes: Uint8Array, at: number): boolean {
  const byte = bytes[at] ?? 0;
  return byte >= ZERO && byte <= NINE;
}

function isHexDigit(byte: number): boolean {
  const letter = byte | LOWER_CASE;
  return byte >= ZERO && byte <= NINE || letter >= 0x61 && letter <= 0x66;
}

function toBytes(text: string): readonly number[] {
  return [...new TextEncoder().encode(text)];
}
