/**
 * Formats JSON on many lines that can be folded, or on one line, and locates syntax errors.
 *
 * @module
 */
import { type JsonDocument, type JsonLine, readJson } from "./json_text.ts";

/** A part of a line. */
export interface JsonPart {
  readonly kind: "key" | "string" | "number" | "literal" | "mark" | "fold";
  readonly text: string;
}

/** Lines of which some are folded. */
export interface Folding {
  /** The number of visible rows. */
  readonly count: number;
  /** Returns the index of the line in a row. */
  lineAt(row: number): number;
  /** Returns the row of a line, or of the folded line that contains it. */
  rowOf(line: number): number;
  isFolded(line: number): boolean;
  /** Folds or unfolds a line of type `open`. */
  set(line: number, folded: boolean): void;
  setAll(folded: boolean): void;
}

const INDENT = "  ";

/** Returns the parts of a line. */
export function toParts({ text, lines }: JsonDocument, index: number, folded: boolean): JsonPart[] {
  const line = lines[index];
  if (line === undefined) return [];
  const parts: JsonPart[] = [];
  if (line.keyStart >= 0) {
    parts.push({ kind: "key", text: text.slice(line.keyStart, line.keyEnd) });
    parts.push({ kind: "mark", text: ": " });
  }
  parts.push({ kind: kindOf(text, line), text: toValueText(text, line) });
  const close = folded ? lines[line.close] : undefined;
  if (close !== undefined) {
    parts.push({ kind: "fold", text: ` ${line.size} ` });
    parts.push({ kind: "mark", text: text.slice(close.start, close.end) });
  }
  if ((close ?? line).comma) parts.push({ kind: "mark", text: "," });
  return parts;
}

/** Returns the document with one member on each line. */
export function toPretty({ text, lines }: JsonDocument): string {
  return lines.map((line) => {
    const key = line.keyStart < 0 ? "" : `${text.slice(line.keyStart, line.keyEnd)}: `;
    const value = toValueText(text, line);
    return `${INDENT.repeat(line.depth)}${key}${value}${line.comma ? "," : ""}`;
  }).join("\n");
}

/** Returns the document on a single line. */
export function toCompact({ text, lines }: JsonDocument): string {
  return lines.map((line) => {
    const key = line.keyStart < 0 ? "" : `${text.slice(line.keyStart, line.keyEnd)}:`;
    return `${key}${toValueText(text, line)}${line.comma ? "," : ""}`;
  }).join("");
}

/** Returns the position and the reason of a syntax error; `undefined` if the text is valid JSON. */
export function findJsonProblem(text: string): string | undefined {
  const result = readJson(text, Infinity);
  if (result.type !== "error") return undefined;
  const before = text.slice(0, result.at).split("\n");
  const column = (before.at(-1) ?? "").length + 1;
  return `Line ${before.length}, column ${column}: ${result.message}`;
}

/** Creates a {@linkcode Folding} in which no line is folded. */
export function createFolding({ lines }: JsonDocument): Folding {
  const folded = new Set<number>();
  let rows: Int32Array | undefined;

  /** Without folded lines, the row of a line is its index. */
  function update(): void {
    if (folded.size === 0) return void (rows = undefined);
    const seen = new Int32Array(lines.length);
    let count = 0;
    for (let line = 0; line < lines.length; line++) {
      seen[count++] = line;
      if (folded.has(line)) line = lines[line]?.close ?? line;
    }
    rows = seen.subarray(0, count);
  }

  return {
    get count(): number {
      return rows?.length ?? lines.length;
    },
    lineAt: (row) => rows === undefined ? row : rows[row] ?? -1,
    rowOf(line): number {
      if (rows === undefined) return line;
      let [low, high] = [0, rows.length - 1];
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if ((rows[middle] ?? 0) <= line) low = middle;
        else high = middle - 1;
      }
      return low;
    },
    isFolded: (line) => folded.has(line),
    set(line, fold): void {
      if (lines[line]?.type !== "open" || folded.has(line) === fold) return;
      if (fold) folded.add(line);
      else folded.delete(line);
      update();
    },
    setAll(fold): void {
      folded.clear();
      // The outermost line stays open, since otherwise a single line without content would remain.
      lines.forEach(({ type, depth }, line) =>
        fold && type === "open" && depth > 0 && folded.add(line)
      );
      update();
    },
  };
}

function toValueText(text: string, line: JsonLine): string {
  const value = text.slice(line.start, line.end);
  // Empty brackets may contain whitespace.
  return line.type === "value" && /^[[{]/.test(value) ? `${value[0]}${value.at(-1)}` : value;
}

function kindOf(text: string, { start }: JsonLine): JsonPart["kind"] {
  const first = text[start] ?? "";
  if (first === '"') return "string";
  if (/[-\d]/.test(first)) return "number";
  return /[a-z]/.test(first) ? "literal" : "mark";
}
