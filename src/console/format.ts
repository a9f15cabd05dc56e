/**
 * Formats numbers and texts for display.
 *
 * @module
 */

const BYTE_UNITS = ["B", "kB", "MB", "GB"] as const;
const STEP = 1000;

/** Returns a size such as `1.5 kB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= STEP - 0.5 && unit < BYTE_UNITS.length - 1) {
    value /= STEP;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${BYTE_UNITS[unit]}`;
}

/** Returns a duration such as `12 ms`, `1.5 s` or `2 min 5 s`. */
export function formatMs(ms: number): string {
  if (ms < 9.95) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${Number((ms / 1000).toFixed(ms < 9_995 ? 2 : 1))} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Returns the local time of day, such as `09:05:03.120`. */
export function formatClock(epochMs: number): string {
  const date = new Date(epochMs);
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map(
    (number) => String(number).padStart(2, "0"),
  );
  return `${hours}:${minutes}:${seconds}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Returns an integer with thousands separators. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

// Control and formatting characters. Some reverse the direction of text, which could disguise a URL or a header.
const HIDDEN = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/**
 * Returns text for a single line, in which invisible characters are replaced by their escape sequences.
 *
 * @param text The text.
 * @param limit The maximum number of characters that are shown.
 */
export function toVisible(text: string, limit = 2000): string {
  const short = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return short.replace(HIDDEN, (character) => {
    if (character === "\t") return " ";
    if (character === "\n") return "⏎";
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
