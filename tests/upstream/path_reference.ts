/**
 * The check of a path as the rules are written down: simple, and slow for long paths. `src/upstream/path_escape.ts` must
 * decide the same.
 *
 * @module
 */

// A URL inside a URL inside a URL is encoded three times; more than eight times is never needed.
const MAX_DECODINGS = 8;

// ASCII in UTF-8 of more bytes than necessary (RFC 3629 §3). Also with second bytes of which lenient decoders use
// some bits only, and with digits that they do not check.
const OVERLONG =
  /%c[01]%(?:[89ab][\da-f]|(?![\da-f]{2}))|%c0%[26ae][ef]|%c1%[159d]c|%e0%[89][\da-f]|%f0%8[\da-f]|%f8%8[0-7]|%fc%8[0-3]/i;
const CONTROL = /\p{Cc}/u;
// Includes the characters that conversions to older character sets turn into a slash or a backslash.
const SEPARATORS = /[/\u2044\u2215\u2216\u29f5\u29f8\u00a5\u20a9]/;
const DOTS = /[.\u3002]/;
// Where a server may end a segment: at path parameters, or at a query or fragment that it has decoded.
const SEGMENT_END = /[;?#].*/s;
// Dropped by some servers: spaces at the end of a name, invisible characters, marks, invalid UTF-8.
const DROPPED = /[\s\p{Default_Ignorable_Code_Point}\p{M}\ufffd]/gu;
const DOT_SEGMENT = /^[.\u3002]{1,2}$/;

/**
 * Returns a path as it is, and each of its decodings until nothing is left to decode or there are too many.
 *
 * @param normalize Applied to each text before it is decoded further. Default: no change.
 */
export function referenceReadingsOf(
  path: string,
  normalize = (text: string): string => text,
): readonly string[] {
  const readings: string[] = [];
  let text = path;
  while (readings.length <= MAX_DECODINGS + 1) {
    const normal = normalize(text);
    readings.push(normal);
    text = decodeOnce(normal);
    if (text === normal) break;
  }
  return readings;
}

/** Returns why a path may lead outside its base, or `undefined`. */
export function referenceFindEscape(path: string): string | undefined {
  // NFKD replaces the same compatibility characters as NFKC, and joins no mark with the "e" of "%2e".
  const toNormal = (text: string): string => text.normalize("NFKD");
  const kept = referenceReadingsOf(path, toNormal);
  // Characters that a server drops may stand inside "%2e".
  const dropped = referenceReadingsOf(path, (text) => toNormal(text).replace(DROPPED, ""));
  if (Math.max(kept.length, dropped.length) > MAX_DECODINGS + 1) {
    return "is percent-encoded too many times";
  }
  for (const reading of [...kept, ...dropped]) {
    const reason = findFault(reading);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function findFault(text: string): string | undefined {
  if (text.startsWith("//")) return 'must not begin with two slashes, nor with "/%2F"';
  if (text.includes("\\")) return "must not contain a backslash, in any encoding";
  if (CONTROL.test(text)) return "must not contain an encoded control character";
  if (OVERLONG.test(text)) return "must not contain overlong UTF-8";
  if (DOTS.test(text) && text.split(SEPARATORS).some(isDotSegment)) {
    return 'must not contain the segments "." and "..", in any encoding';
  }
  return undefined;
}

function isDotSegment(segment: string): boolean {
  return DOT_SEGMENT.test(segment.replace(SEGMENT_END, "").replace(DROPPED, ""));
}

/** Removes one layer of percent-encoding. Bytes that are not UTF-8 become U+FFFD. */
function decodeOnce(text: string): string {
  return text
    .replace(/%u([\da-f]{4})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
    .replace(/(?:%[\da-f]{2})+/gi, (run) =>
      new TextDecoder("utf-8", { ignoreBOM: true })
        .decode(Uint8Array.fromHex(run.replaceAll("%", ""))));
}
