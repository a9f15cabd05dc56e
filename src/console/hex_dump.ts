/**
 * A hexadecimal dump: offset, bytes and ASCII characters.
 *
 * @module
 */

/** A row of a dump. */
export interface HexRow {
  readonly offset: string;
  readonly hex: string;
  /** A dot for each byte that is not a printable ASCII character. */
  readonly ascii: string;
}

/** Returns how many rows a dump has. */
export function countHexRows(bytes: number, perRow: number): number {
  return Math.ceil(bytes / perRow);
}

/** Returns a row of the dump of `bytes`. */
export function toHexRow(bytes: Uint8Array, row: number, perRow: number): HexRow {
  const part = bytes.subarray(row * perRow, (row + 1) * perRow);
  const pairs = Array.from(part, (byte) => byte.toString(16).padStart(2, "0"));
  return {
    offset: (row * perRow).toString(16).padStart(8, "0"),
    hex: pairs.map((pair, at) => at > 0 && at % 8 === 0 ? ` ${pair}` : pair).join(" "),
    ascii: Array.from(
      part,
      (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".",
    ).join(""),
  };
}
