/**
 * Lines as bytes, put together where they wait to be written: every exchange has one, and texts would be
 * garbage whose collection costs as much as they do.
 *
 * @module
 */

/** Takes what lines are made of, one behind the other. */
export interface LineBuffer {
  /** How many bytes wait. */
  readonly length: number;
  /** Gives what waits, for as long as nothing is taken. */
  waiting(): Uint8Array;
  /** Forgets so many bytes, from the first. */
  shift(length: number): void;
  /** Takes bytes. */
  bytes(bytes: Uint8Array): void;
  /** Takes a few bytes: what {@linkcode bytes} takes in more time, until there are some dozens. */
  few(bytes: Uint8Array): void;
  /** Takes a text. */
  text(text: string): void;
  /** Takes a text as JSON has it. */
  string(value: string): void;
  /** Takes the end of a text as JSON has it, and the quote behind it. */
  endString(end: string): void;
  /** Takes a number as JSON has it. */
  number(value: number): void;
  /** Takes a number that is likely to have three digits behind the point, as JSON has it. */
  thousandths(value: number): void;
}

const SIZE = 131_072;

const POINT = 0x2e;
const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;
// Of a whole number below 2^31.
const MAX_DIGITS = 10;

/** Creates an empty {@linkcode LineBuffer}, which grows when it has to. */
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

  function few(bytes: Uint8Array): void {
    const { length } = bytes;
    ensure(length);
    for (let index = 0; index < length; index++) memory[end + index] = bytes[index] ?? 0;
    end += length;
  }

  function text(text: string): void {
    bytes(encoder.encode(text));
  }

  /** Takes a text that JSON changes nothing of, and a quote; of any other nothing, and says so. */
  function isTaken(text: string): boolean {
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

  function endString(end: string): void {
    if (!isTaken(end)) text(JSON.stringify(end).slice(1));
  }

  /** Takes a whole number from 0 to 2^31 - 1. */
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
    few,
    text,
    string(value): void {
      ensure(1);
      memory[end++] = QUOTE;
      endString(value);
    },
    endString,
    number(value): void {
      if (isSmall(value)) digits(value);
      else text(JSON.stringify(value));
    },
    thousandths(value): void {
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
