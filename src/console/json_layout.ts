/**
 * JSON laid out: on many lines that fold, on one, or as an error with its place.
 *
 * @module
 */
import { type JsonLine, type JsonText, readJson } from "./json_text.ts";

/** JSON that was read. */
export type Json = Extract<JsonText, { type: "json" }>;

/** A piece of a line, by what it is. */
export interface JsonPart {
  readonly kind: "key" | "string" | "number" | "literal" | "mark" | "fold";
  readonly text: string;
}

/** Lines of which some are folded away. */
export interface Folding {
  /** How many are to be seen. */
  readonly count: number;
  /** Gives the index of the line that is the `row`th to be seen. */
  lineAt(row: number): number;
  /** Gives the row of a line, or of the line that it is folded into. */
  rowOf(line: number): number;
  isFolded(line: number): boolean;
  /** Folds or unfolds an opening line. */
  set(line: number, folded: boolean): void;
  setAll(folded: boolean): void;
}

const INDENT = "  ";

/** Gives the pieces of a line. */
export function toParts({ text, lines }: Json, index: number, folded: boolean): JsonPart[] {
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

/** Gives the whole text, one member to a line. */
export function toPretty({ text, lines }: Json): string {
  return lines.map((line) => {
    const key = line.keyStart < 0 ? "" : `${text.slice(line.keyStart, line.keyEnd)}: `;
    const value = toValueText(text, line);
    return `${INDENT.repeat(line.depth)}${key}${value}${line.comma ? "," : ""}`;
  }).join("\n");
}

/** Gives the whole text on one line. */
export function toCompact({ text, lines }: Json): string {
  return lines.map((line) => {
    const key = line.keyStart < 0 ? "" : `${text.slice(line.keyStart, line.keyEnd)}:`;
    return `${key}${toValueText(text, line)}${line.comma ? "," : ""}`;
  }).join("");
}

/** Gives where a text is no JSON and why, or `undefined` when it is. */
export function findJsonFault(text: string): string | undefined {
  const result = readJson(text, Infinity);
  if (result.type !== "error") return undefined;
  const before = text.slice(0, result.at).split("\n");
  const column = (before.at(-1) ?? "").length + 1;
  return `Line ${before.length}, column ${column}: ${result.message}`;
}

/** Creates a {@linkcode Folding} with nothing folded. */
export function createFolding({ lines }: Json): Folding {
  const folded = new Set<number>();
  let rows: Int32Array | undefined;

  /** Only while something is folded: else a row is its line. */
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
      // The outermost stays open: one line that says nothing would be left.
      lines.forEach(({ type, depth }, line) =>
        fold && type === "open" && depth > 0 && folded.add(line)
      );
      update();
    },
  };
}

function toValueText(text: string, line: JsonLine): string {
  const value = text.slice(line.start, line.end);
  // Empty brackets may have blanks between them.
  return line.type === "value" && /^[[{]/.test(value) ? `${value[0]}${value.at(-1)}` : value;
}

function kindOf(text: string, { start }: JsonLine): JsonPart["kind"] {
  const first = text[start] ?? "";
  if (first === '"') return "string";
  if (/[-\d]/.test(first)) return "number";
  return /[a-z]/.test(first) ? "literal" : "mark";
}
