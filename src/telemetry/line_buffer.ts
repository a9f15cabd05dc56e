/**
 * A buffer in which log lines are assembled as bytes and wait to be written. Each exchange has a line; assembling
 * them as strings would double their cost, since the strings have to be collected as garbage.
 *
 * @module
 */

/** Appends the parts of lines to one another. */
export interface LineBuffer {
  /** The number of bytes that wait to be written. */
  readonly length: number;
  /** Returns the waiting bytes. They are valid until something is appended. */
  waiting(): Uint8Array;
  /** Removes the first `length` waiting bytes. */
  shift(length: number): void;
  /** Appends bytes. */
  bytes(bytes: Uint8Array): void;
  /** Appends bytes; faster than {@linkcode bytes} for fewer than some dozens. */
  shortBytes(bytes: Uint8Array): void;
  /** Appends a text as UTF-8. */
  text(text: string): void;
  /** Appends a text as a JSON string. */
  jsonString(value: string): void;
  /** Appends the last part of a JSON string and its closing quote. The caller has appended the first part. */
  jsonStringEnd(end: string): void;
  /** Appends a number as JSON; fast for whole numbers below 2^31. */
  jsonNumber(value: number): void;
  /** Appends a number as JSON; fast for numbers with up to three decimals. */
  jsonThousandths(value: number): void;
}

const SIZE = 131_072;

const POINT = 0x2e;
const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;
// Of a whole number below 2^31
const MAX_DIGITS = 10;

/** Creates an empty {@linkcode LineBuffer}, which grows as needed. */
export function createLineBuffer(): LineBuffer {
  const encoder = new TextEncoder();
  let memory = new Uint8Array(SIZE);
  let start = 0;
  let end = 0;

  function ensure(length: number): void {
    if (end + length > memory.length) makeRoom(length);
  }

  function makeRoom(length: number): void {
    const waiting = memory.subarray(start, end);
    const needed = waiting.length + length;
    if (needed > memory.length) memory = new Uint8Array(2 * needed);
    memory.set(waiting);
    end = waiting.length;
    start = 0;
  }

  function bytes(bytes: Uint8Array): void {
    ensure(bytes.length);
    memory.set(bytes, end);
    end += bytes.length;
  }

  function shortBytes(bytes: Uint8Array): void {
    const { length } = bytes;
    ensure(length);
    for (let index = 0; index < length; index++) memory[end + index] = bytes[index] ?? 0;
    end += length;
  }

  function text(text: string): void {
    bytes(encoder.encode(text));
  }

  /** Appends a text and a quote, unless JSON has to escape a character of the text: then appends nothing. */
  function tryVerbatim(text: string): boolean {
    const { length } = text;
    ensure(length + 1);
    let at = end;
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit < FIRST_PRINTABLE || unit > LAST_PRINTABLE) return false;
      if (unit === QUOTE || unit === BACKSLASH) return false;
      memory[at++] = unit;
    }
    memory[at++] = QUOTE;
    end = at;
    return true;
  }

  function jsonStringEnd(end: string): void {
    if (!tryVerbatim(end)) text(JSON.stringify(end).slice(1));
  }

  /** Appends a whole number from 0 to 2^31 - 1. */
  function digits(value: number): void {
    ensure(MAX_DIGITS);
    let length = 1;
    for (let power = 10; power <= value; power *= 10) length++;
    let rest = value;
    for (let at = end + length - 1; at >= end; at--) {
      const tenth = (rest / 10) | 0;
      memory[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    end += length;
  }

  return {
    get length(): number {
      return end - start;
    },
    waiting: () => memory.subarray(start, end),
    shift(length): void {
      start += length;
      if (start < end) return;
      start = end = 0;
      if (memory.length > SIZE) memory = new Uint8Array(SIZE);
    },
    bytes,
    shortBytes,
    text,
    jsonString(value): void {
      ensure(1);
      memory[end++] = QUOTE;
      jsonStringEnd(value);
    },
    jsonStringEnd,
    jsonNumber(value): void {
      if (isSmall(value)) digits(value);
      else text(JSON.stringify(value));
    },
    jsonThousandths(value): void {
      const thousandths = Math.round(value * 1000);
      if (thousandths / 1000 !== value || !isSmall(thousandths)) return text(JSON.stringify(value));
      const whole = (thousandths / 1000) | 0;
      digits(whole);
      let rest = thousandths - whole * 1000;
      if (rest === 0) return;
      ensure(4);
      memory[end++] = POINT;
      for (let unit = 100; rest > 0; unit /= 10) {
        const digit = (rest / unit) | 0;
        memory[end++] = ZERO + digit;
        rest -= digit * unit;
      }
    },
  };
}

function isSmall(value: number): boolean {
  return value === (value | 0) && value >= 0;
}
