/**
 * Reads JSON as text: what is shown is what came, so that 12345678901234567890 and 1.0 stay as they are.
 *
 * @module
 */

/** A line of JSON that is laid out one member to a line. */
export interface JsonLine {
  /** `open` and `close`: brackets around lines; `value`: a scalar, or brackets with nothing inside. */
  readonly type: "open" | "close" | "value";
  readonly depth: number;
  /** Where the member's name is in the text; -1: it has none. */
  readonly keyStart: number;
  readonly keyEnd: number;
  /** Where the value is; of brackets, the one bracket. */
  readonly start: number;
  readonly end: number;
  /** More follows inside the same brackets. */
  comma: boolean;
  /** Of `open`: the line of the closing bracket. */
  close: number;
  /** Of `open`: how many members or elements. */
  size: number;
  /** How many stand before it inside the same brackets, itself included. */
  readonly position: number;
}

/** JSON by its lines, or why it is none. */
export type JsonText =
  | { readonly type: "json"; readonly text: string; readonly lines: readonly JsonLine[] }
  | { readonly type: "error"; readonly at: number; readonly message: string }
  | { readonly type: "too_long" };

interface Level {
  /** The line that opened it. */
  readonly line: JsonLine;
  readonly isObject: boolean;
}

/** More lines than this are not worth their memory. */
const MAX_LINES = 400_000;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

class Malformed extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** Reads a JSON text (RFC 8259). */
export function readJson(text: string, maxLines: number = MAX_LINES): JsonText {
  try {
    const lines = readLines(text, maxLines);
    return lines === undefined ? { type: "too_long" } : { type: "json", text, lines };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { type: "error", at: error.at, message: error.message };
  }
}

function readLines(text: string, maxLines: number): JsonLine[] | undefined {
  const lines: JsonLine[] = [];
  const levels: Level[] = [];
  let at = skipBlanks(text, 0);
  for (;;) {
    // A value, with its name inside an object.
    const level = levels.at(-1);
    let keyStart = -1;
    let keyEnd = -1;
    if (level?.isObject) {
      if (text[at] !== '"') throw new Malformed(at, "Expected a member's name in double quotes");
      keyStart = at;
      keyEnd = endOfString(text, at);
      at = skipBlanks(text, keyEnd);
      if (text[at] !== ":") throw new Malformed(at, 'Expected ":" behind the name');
      at = skipBlanks(text, at + 1);
    }
    if (level !== undefined) level.line.size++;
    const position = level?.line.size ?? 1;
    const start = at;
    const bracket = text[at] === "{" ? "}" : text[at] === "[" ? "]" : undefined;
    const inner = bracket === undefined ? at : skipBlanks(text, at + 1);
    const isOpen = bracket !== undefined && text[inner] !== bracket;
    const end = isOpen ? at + 1 : bracket === undefined ? endOfScalar(text, at) : inner + 1;
    const line: JsonLine = {
      type: isOpen ? "open" : "value",
      depth: levels.length,
      keyStart,
      keyEnd,
      start,
      end,
      comma: false,
      close: -1,
      size: 0,
      position,
    };
    lines.push(line);
    if (lines.length > maxLines) return undefined;
    if (isOpen) {
      levels.push({ line, isObject: bracket === "}" });
      at = inner;
      continue;
    }
    // What may stand behind a value: a comma, or the ends of what is around it.
    at = skipBlanks(text, end);
    for (let open = levels.at(-1); text[at] !== ","; open = levels.at(-1)) {
      if (open === undefined) {
        if (at < text.length) throw new Malformed(at, "Nothing may follow behind the value");
        return lines;
      }
      const closing = open.isObject ? "}" : "]";
      if (text[at] !== closing) throw new Malformed(at, `Expected "," or "${closing}"`);
      levels.pop();
      open.line.close = lines.length;
      lines.push({
        ...open.line,
        type: "close",
        keyStart: -1,
        keyEnd: -1,
        start: at,
        end: at + 1,
        close: -1,
      });
      at = skipBlanks(text, at + 1);
    }
    const last = lines.at(-1);
    if (levels.length === 0 || last === undefined) {
      throw new Malformed(at, "Nothing may follow behind the value");
    }
    last.comma = true;
    at = skipBlanks(text, at + 1);
  }
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); isBlank(code); code = text.charCodeAt(at)) at++;
  return at;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function endOfScalar(text: string, at: number): number {
  if (text[at] === '"') return endOfString(text, at);
  for (const pattern of [NUMBER, LITERAL]) {
    pattern.lastIndex = at;
    if (pattern.test(text)) return pattern.lastIndex;
  }
  throw new Malformed(at, at < text.length ? "Expected a value" : "The text ends too early");
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1;;) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code !== code) throw new Malformed(start, "The string has no end");
    if (code < 0x20) throw new Malformed(at, "A control character has to be escaped in a string");
    if (code !== 0x5c) at++;
    else {
      ESCAPE.lastIndex = at;
      if (!ESCAPE.test(text)) throw new Malformed(at, "There is no such escape");
      at = ESCAPE.lastIndex;
    }
  }
}
