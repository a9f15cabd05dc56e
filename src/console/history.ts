/**
 * Requests that were sent, kept in the browser, without credentials.
 *
 * @module
 */
import { scrubDraft } from "./credentials.ts";
import type { Draft } from "./draft.ts";
import { parseDraft } from "./share.ts";

/** A request that was sent. */
export interface HistoryEntry {
  readonly draft: Draft;
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** The status, or the code of the failure. */
  readonly outcome: string;
}

/** Where entries are kept: the browser's `localStorage`, or what looks like it. */
export type HistoryStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** What was sent, newest first. */
export interface History {
  readonly entries: readonly HistoryEntry[];
  /** @param secrets What must not be kept, wherever it stands. */
  add(entry: HistoryEntry, secrets?: readonly string[]): void;
  clear(): void;
}

const KEY = "wsfetch.history";
const MAX_ENTRIES = 100;
/** Storage is small, and many requests fit in it. */
const MAX_BODY_LENGTH = 8192;

/** Creates a {@linkcode History}; `undefined`: nothing outlives the page. */
export function createHistory(storage: HistoryStorage | undefined): History {
  let entries = read(storage);

  function write(): void {
    try {
      storage?.setItem(KEY, JSON.stringify(entries));
    } catch {
      // The storage is full or not allowed: the history lasts as long as the page.
    }
  }

  return {
    get entries(): readonly HistoryEntry[] {
      return entries;
    },
    add({ draft, ...rest }, secrets = []): void {
      const { draft: clean } = scrubDraft(draft, secrets);
      const isLong = clean.bodyText.length > MAX_BODY_LENGTH;
      const entry = { ...rest, draft: isLong ? { ...clean, bodyText: "" } : clean };
      const text = JSON.stringify(entry.draft);
      const others = entries.filter((other) => JSON.stringify(other.draft) !== text);
      entries = [entry, ...others].slice(0, MAX_ENTRIES);
      write();
    },
    clear(): void {
      entries = [];
      try {
        storage?.removeItem(KEY);
      } catch {
        // there is no storage to clear
      }
    },
  };
}

function read(storage: HistoryStorage | undefined): readonly HistoryEntry[] {
  try {
    const value: unknown = JSON.parse(storage?.getItem(KEY) ?? "[]");
    return Array.isArray(value) ? value.flatMap(parseEntry).slice(0, MAX_ENTRIES) : [];
  } catch {
    return []; // what cannot be read is of no use
  }
}

function parseEntry(value: unknown): HistoryEntry[] {
  if (typeof value !== "object" || value === null) return [];
  const { draft, at, outcome } = value as Readonly<Record<string, unknown>>;
  const parsed = parseDraft(draft);
  if (parsed === undefined || typeof at !== "number" || typeof outcome !== "string") return [];
  return [{ draft: parsed, at, outcome }];
}
