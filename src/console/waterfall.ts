/**
 * Exchanges on one time axis, with the time cut out in which nothing happened.
 *
 * @module
 */
import { formatMs } from "./format.ts";

/** An exchange in time, in milliseconds since any fixed moment. */
export interface Span {
  /** It was asked for. */
  readonly start: number;
  /** It was sent; `undefined`: not yet, or never. */
  readonly sent: number | undefined;
  /** The head of its response came. */
  readonly head: number | undefined;
  /** It ended; `undefined`: it has not. */
  readonly end: number | undefined;
}

/** Where an exchange is on the axis: 0 is its left end, 1 its right. */
export interface Bar {
  readonly start: number;
  readonly sent: number;
  readonly head: number;
  readonly end: number;
}

/** A mark on the axis. */
export interface Mark {
  readonly at: number;
  readonly label: string;
  /** So much time is cut out here. */
  readonly isCut: boolean;
}

/** A time axis with exchanges on it. */
export interface Waterfall {
  readonly bars: readonly Bar[];
  readonly marks: readonly Mark[];
}

interface Piece {
  readonly start: number;
  readonly end: number;
}

/** A pause is cut out when it is longer than this share of the time in which something happens. */
const LONGEST_PAUSE = 0.25;
/** What is left of a pause, as a share of that time. */
const CUT = 0.05;
/** The axis is never shorter, in milliseconds: else an instant would fill it. */
const SHORTEST = 5;
/** About so many marks. */
const MARKS = 5;
/** What the label of a mark takes, in pixels. */
const LABEL_PX = 76;
/** As wide an axis is taken to be whose width is not known. */
const USUAL_PX = 800;

/**
 * Lays exchanges out.
 *
 * @param spans The exchanges that are to be seen.
 * @param now How far those reach that have not ended.
 * @param options How wide the axis is, in pixels: it says how many labels there is room for.
 */
export function layoutWaterfall(
  spans: readonly Span[],
  now: number,
  { widthPx = USUAL_PX }: { readonly widthPx?: number } = {},
): Waterfall {
  if (spans.length === 0) return { bars: [], marks: [] };
  const pieces = joinPieces(spans, now);
  const busyMs = Math.max(pieces.reduce((sum, { start, end }) => sum + end - start, 0), SHORTEST);
  const cutMs = pieces.length > 1 ? busyMs * CUT : 0;
  const totalMs = busyMs + cutMs * (pieces.length - 1);
  const starts: number[] = [];
  let at = 0;
  for (const { start, end } of pieces) {
    starts.push(at);
    at += end - start + cutMs;
  }

  function place(time: number): number {
    const index = Math.max(0, pieces.findLastIndex(({ start }) => start <= time));
    const piece = pieces[index];
    if (piece === undefined) return 0;
    const inside = Math.min(Math.max(time, piece.start), piece.end) - piece.start;
    return ((starts[index] ?? 0) + inside) / totalMs;
  }

  const bars = spans.map(({ start, sent, head, end = now }): Bar => ({
    start: place(start),
    sent: place(sent ?? end),
    head: place(head ?? end),
    end: place(end),
  }));
  const stepMs = niceStep(totalMs / MARKS);
  const origin = pieces[0]?.start ?? 0;
  const marks = pieces.flatMap((piece, index): Mark[] => {
    const before = pieces[index - 1];
    const first = Math.ceil((piece.start - origin) / stepMs);
    const last = Math.floor((piece.end - origin) / stepMs);
    const ticks = Array.from({ length: Math.max(0, last - first + 1) }, (_, tick) => {
      const ms = (first + tick) * stepMs;
      return { at: place(origin + ms), label: formatMs(ms), isCut: false };
    });
    if (before === undefined) return ticks;
    const at = ((starts[index] ?? 0) - cutMs / 2) / totalMs;
    return [{ at, label: formatMs(piece.start - before.end), isCut: true }, ...ticks];
  });
  return { bars, marks: dropCrowded(marks, LABEL_PX / Math.max(widthPx, LABEL_PX)) };
}

/** A cut is always marked, and its length said where there is room; a tick only then. */
function dropCrowded(marks: readonly Mark[], room: number): readonly Mark[] {
  const cuts = marks.filter(({ isCut }) => isCut);
  let [lastTick, lastCut] = [-1, -1];
  return marks.flatMap((mark) => {
    if (mark.isCut) {
      const hasRoom = mark.at - lastCut >= room;
      if (hasRoom) lastCut = mark.at;
      return [hasRoom ? mark : { ...mark, label: "" }];
    }
    const isCrowded = mark.at - lastTick < room || mark.at > 1 - room / 2 ||
      cuts.some(({ at }) => Math.abs(at - mark.at) < room);
    if (!isCrowded) lastTick = mark.at;
    return isCrowded ? [] : [mark];
  });
}

/** Gives the stretches of time in which something happened, or that are too short to be cut out. */
function joinPieces(spans: readonly Span[], now: number): readonly Piece[] {
  const sorted = spans.map(({ start, end = now }) => ({ start, end: Math.max(start, end) }))
    .toSorted((a, b) => a.start - b.start);
  const busy = join(sorted, 0);
  const busyMs = Math.max(busy.reduce((sum, { start, end }) => sum + end - start, 0), SHORTEST);
  return join(busy, busyMs * LONGEST_PAUSE);
}

function join(sorted: readonly Piece[], pauseMs: number): readonly Piece[] {
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && start - last.end <= pauseMs) last.end = Math.max(last.end, end);
    else joined.push({ start, end });
  }
  return joined;
}

/** Gives 1, 2 or 5 times a power of ten, not below a number. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5].map((factor) => factor * power).find((step) => step >= least) ?? 10 * power;
}
