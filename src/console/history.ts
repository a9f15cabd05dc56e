/**
 * Stores sent requests in the browser, without credentials.
 *
 * @module
 */
import { scrubDraft } from "./credentials.ts";
import type { Draft } from "./draft.ts";
import { parseDraft } from "./share.ts";

/** A request that was sent. */
export interface HistoryEntry {
  readonly draft: Draft;
  /** When it was sent, in milliseconds since the epoch. */
  readonly at: number;
  /** The status, or the code of the failure. */
  readonly outcome: string;
}

/** The part of `localStorage` that the history uses. */
export type HistoryStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** The requests that were sent. */
export interface History {
  /** Newest first. */
  readonly entries: readonly HistoryEntry[];
  /** @param secrets Values that are removed wherever they occur. */
  add(entry: HistoryEntry, secrets?: readonly string[]): void;
  clear(): void;
}

const KEY = "wsfetch.history";
const MAX_ENTRIES = 100;
/** Longer bodies are omitted: browsers limit the size of the storage. */
const MAX_BODY_LENGTH = 8192;

/** Creates a {@linkcode History}. Without storage, its entries last as long as the page. */
export function createHistory(storage: HistoryStorage | undefined): History {
  let entries = read(storage);

  function write(): void {
    try {
      storage?.setItem(KEY, JSON.stringify(entries));
    } catch {
      // The storage is full or not allowed: the entries last as long as the page.
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
        // the storage is not allowed
      }
    },
  };
}

function read(storage: HistoryStorage | undefined): readonly HistoryEntry[] {
  try {
    const value: unknown = JSON.parse(storage?.getItem(KEY) ?? "[]");
    return Array.isArray(value) ? value.flatMap(parseEntry).slice(0, MAX_ENTRIES) : [];
  } catch {
    return []; // not allowed, or invalid
  }
}

function parseEntry(value: unknown): HistoryEntry[] {
  if (typeof value !== "object" || value === null) return [];
  const { draft, at, outcome } = value as Readonly<Record<string, unknown>>;
  const parsed = parseDraft(draft);
  if (parsed === undefined || typeof at !== "number" || typeof outcome !== "string") return [];
  return [{ draft: parsed, at, outcome }];
}
