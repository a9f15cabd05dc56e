/**
 * Parses JSON into lines of the original text, so that 12345678901234567890 and 1.0 are shown unchanged.
 *
 * @module
 */

/** A line of a JSON document with one member on each line. */
export interface JsonLine {
  /** `open` and `close`: a bracket that encloses lines; `value`: a scalar or empty brackets. */
  readonly type: "open" | "close" | "value";
  readonly depth: number;
  /** The offset of the member name in the text, -1 if the line has none. */
  readonly keyStart: number;
  readonly keyEnd: number;
  /** The offset of the value or the bracket in the text. */
  readonly start: number;
  readonly end: number;
  /** Whether a comma follows. */
  comma: boolean;
  /** Of `open`: the index of the closing line; -1 otherwise. */
  close: number;
  /** Of `open`: the number of members or elements. */
  size: number;
  /** The position inside the enclosing brackets, from 1. */
  readonly position: number;
}

/** A parsed JSON text. */
export interface JsonDocument {
  readonly type: "json";
  readonly text: string;
  readonly lines: readonly JsonLine[];
}

/** A parsed JSON text, or why it was not parsed. */
export type JsonResult =
  | JsonDocument
  /** `at` is the offset of the syntax error. */
  | { readonly type: "error"; readonly at: number; readonly message: string }
  /** The document has too many lines. */
  | { readonly type: "too_long" };

interface Level {
  /** The line with the opening bracket. */
  readonly line: JsonLine;
  readonly isObject: boolean;
}

/** More lines would take too much memory. */
const MAX_LINES = 400_000;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

class JsonSyntaxError extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** Parses a JSON text (RFC 8259). */
export function readJson(text: string, maxLines: number = MAX_LINES): JsonResult {
  try {
    const lines = readLines(text, maxLines);
    return lines === undefined ? { type: "too_long" } : { type: "json", text, lines };
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return { type: "error", at: error.at, message: error.message };
  }
}

function readLines(text: string, maxLines: number): JsonLine[] | undefined {
  const lines: JsonLine[] = [];
  const levels: Level[] = [];
  let at = skipWhitespace(text, 0);
  for (;;) {
    // A value, preceded by its name inside an object.
    const level = levels.at(-1);
    let keyStart = -1;
    let keyEnd = -1;
    if (level?.isObject) {
      if (text[at] !== '"') {
        throw new JsonSyntaxError(at, "Expected a member name in double quotes");
      }
      keyStart = at;
      keyEnd = endOfString(text, at);
      at = skipWhitespace(text, keyEnd);
      if (text[at] !== ":") throw new JsonSyntaxError(at, 'Expected ":" after the name');
      at = skipWhitespace(text, at + 1);
    }
    if (level !== undefined) level.line.size++;
    const position = level?.line.size ?? 1;
    const start = at;
    const bracket = text[at] === "{" ? "}" : text[at] === "[" ? "]" : undefined;
    const inner = bracket === undefined ? at : skipWhitespace(text, at + 1);
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
    // A value is followed by a comma, or by the brackets that close the enclosing values.
    at = skipWhitespace(text, end);
    for (let open = levels.at(-1); text[at] !== ","; open = levels.at(-1)) {
      if (open === undefined) {
        if (at < text.length) throw new JsonSyntaxError(at, "Unexpected text after the value");
        return lines;
      }
      const closing = open.isObject ? "}" : "]";
      if (text[at] !== closing) throw new JsonSyntaxError(at, `Expected "," or "${closing}"`);
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
      at = skipWhitespace(text, at + 1);
    }
    const last = lines.at(-1);
    if (levels.length === 0 || last === undefined) {
      throw new JsonSyntaxError(at, "Unexpected text after the value");
    }
    last.comma = true;
    at = skipWhitespace(text, at + 1);
  }
}

function skipWhitespace(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); isWhitespace(code); code = text.charCodeAt(at)) at++;
  return at;
}

function isWhitespace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function endOfScalar(text: string, at: number): number {
  if (text[at] === '"') return endOfString(text, at);
  for (const pattern of [NUMBER, LITERAL]) {
    pattern.lastIndex = at;
    if (pattern.test(text)) return pattern.lastIndex;
  }
  throw new JsonSyntaxError(
    at,
    at < text.length ? "Expected a value" : "Unexpected end of the text",
  );
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1;;) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code !== code) throw new JsonSyntaxError(start, "Unterminated string");
    if (code < 0x20) throw new JsonSyntaxError(at, "Control characters in strings must be escaped");
    if (code !== 0x5c) at++;
    else {
      ESCAPE.lastIndex = at;
      if (!ESCAPE.test(text)) throw new JsonSyntaxError(at, "Invalid escape sequence");
      at = ESCAPE.lastIndex;
    }
  }
}
