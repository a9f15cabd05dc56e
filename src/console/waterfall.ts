/**
 * Lays out exchanges on a time axis from which long idle periods are cut out.
 *
 * @module
 */
import { formatMs } from "./format.ts";

/** The times of an exchange, in milliseconds since any fixed moment. */
export interface Span {
  readonly start: number;
  /** When the request was sent; `undefined` if it was not. */
  readonly sent: number | undefined;
  /** When the head of the response arrived. */
  readonly head: number | undefined;
  /** When the exchange ended; `undefined` if it is in flight. */
  readonly end: number | undefined;
}

/** The position of an exchange on the axis, from 0 to 1. */
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
  /** The mark stands for a cut; the label is its duration. */
  readonly isCut: boolean;
}

/** Exchanges and marks on a time axis. */
export interface Waterfall {
  readonly bars: readonly Bar[];
  readonly marks: readonly Mark[];
}

/** A part of the axis without cuts. */
interface Piece {
  readonly start: number;
  readonly end: number;
}

/** Longer idle periods are cut out, as a fraction of the busy time. */
const MAX_IDLE = 0.25;
/** The width of a cut, as a fraction of the busy time. */
const CUT_WIDTH = 0.05;
/** The shortest duration of the axis, in milliseconds. */
const MIN_DURATION_MS = 5;
/** The approximate number of marks. */
const MARK_COUNT = 5;
/** The width of a label, in pixels. */
const LABEL_PX = 76;
/** The assumed width of the axis if it is unknown, in pixels. */
const DEFAULT_WIDTH_PX = 800;

/**
 * Returns the layout of exchanges.
 *
 * @param spans The exchanges.
 * @param now The end of the exchanges that are in flight.
 * @param options.widthPx The width of the axis in pixels, which limits the number of labels.
 */
export function layoutWaterfall(
  spans: readonly Span[],
  now: number,
  { widthPx = DEFAULT_WIDTH_PX }: { readonly widthPx?: number } = {},
): Waterfall {
  if (spans.length === 0) return { bars: [], marks: [] };
  const pieces = joinPieces(spans, now);
  const busyMs = Math.max(
    pieces.reduce((sum, { start, end }) => sum + end - start, 0),
    MIN_DURATION_MS,
  );
  const cutMs = pieces.length > 1 ? busyMs * CUT_WIDTH : 0;
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
  const stepMs = niceStep(totalMs / MARK_COUNT);
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

/** Removes ticks and the labels of cuts that would overlap. */
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

/** Returns the periods that are busy, or idle for too short a time to be cut out. */
function joinPieces(spans: readonly Span[], now: number): readonly Piece[] {
  const sorted = spans.map(({ start, end = now }) => ({ start, end: Math.max(start, end) }))
    .toSorted((a, b) => a.start - b.start);
  const busy = join(sorted, 0);
  const busyMs = Math.max(
    busy.reduce((sum, { start, end }) => sum + end - start, 0),
    MIN_DURATION_MS,
  );
  return join(busy, busyMs * MAX_IDLE);
}

function join(sorted: readonly Piece[], maxIdleMs: number): readonly Piece[] {
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && start - last.end <= maxIdleMs) last.end = Math.max(last.end, end);
    else joined.push({ start, end });
  }
  return joined;
}

/** Returns the smallest number that is 1, 2 or 5 times a power of ten and not less than `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5].map((factor) => factor * power).find((step) => step >= least) ?? 10 * power;
}
