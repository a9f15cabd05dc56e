/**
 * A list of any length that creates only its visible rows. It has one tab stop; arrow keys select.
 *
 * @module
 */
import { type Attributes, element, onNextFrame, setAttributes } from "./dom.ts";

/** The content and behaviour of a list. */
export interface ListOptions {
  readonly label: string;
  /** Rows of a `listbox` or a `tree` can be selected, rows of a `region` cannot. */
  readonly role: "listbox" | "tree" | "region";
  /** Returns the number of rows. */
  count(): number;
  /** Fills a row and returns its attributes. */
  render(row: HTMLElement, index: number): Attributes | void;
  /** Called when a row is selected by pointer or keyboard. */
  select?(index: number): void;
  /** Called for other keys than those that select a row. Returns whether the key was handled. */
  key?(key: string, index: number): boolean;
  /** Called before the rows from `first` to `end` (exclusive) are rendered. */
  drawn?(first: number, end: number): void;
  /** Keeps the end visible when rows are added while it is visible. */
  readonly follows?: boolean;
}

/** A list. */
export interface VirtualList {
  readonly element: HTMLElement;
  /** The index of the selected row, -1 if there is none. */
  readonly active: number;
  /** Renders the current rows before the next paint. */
  refresh(): void;
  /** Selects a row and scrolls to it, without calling `select`. */
  show(index: number): void;
}

/** How many rows are rendered above and below the visible ones, so that scrolling shows no gaps. */
const EXTRA_ROWS = 6;
const ROW_ROLES = { listbox: "option", tree: "treeitem", region: undefined } as const;

let lists = 0;

/** Creates a list. Its element is not yet on the page. */
export function createVirtualList(options: ListOptions): VirtualList {
  const { label, role, count, render, select, key, drawn, follows = false } = options;
  const name = `list-${++lists}`;
  const isChoice = role !== "region";
  const spacer = element("div", { class: "spacer", role: isChoice ? "presentation" : undefined });
  const box = element("div", { class: "list", tabindex: 0, "aria-label": label, role }, spacer);
  const rows = new Map<number, HTMLElement>();
  let spare: HTMLElement[] = [];
  let rowHeight = 0;
  let active = -1;
  let isAtEnd = true;
  let drawnCount = -1;

  /** Returns the height of a row, which depends on the font size of the user. */
  function measure(): number {
    const probe = element("div", { class: "row" }, "x");
    spacer.append(probe);
    const { height } = probe.getBoundingClientRect();
    probe.remove();
    return height;
  }

  function draw(): void {
    if (!box.isConnected) return;
    rowHeight ||= measure();
    if (rowHeight === 0) return;
    const total = count();
    if (total !== drawnCount) {
      spacer.style.height = `${total * rowHeight}px`;
      // A listbox without options is invalid (ARIA); an empty list is a region.
      setAttributes(box, { role: total === 0 ? "region" : role });
      if (follows && isAtEnd && total > drawnCount) box.scrollTop = total * rowHeight;
      drawnCount = total;
    }
    if (active >= total) active = total - 1;
    const first = Math.max(0, Math.floor(box.scrollTop / rowHeight) - EXTRA_ROWS);
    const seen = Math.ceil(box.clientHeight / rowHeight) + 2 * EXTRA_ROWS;
    const end = Math.min(total, first + seen);
    for (const [index, row] of rows) {
      if (index >= first && index < end) continue;
      rows.delete(index);
      spare.push(row);
    }
    drawn?.(first, end);
    for (let index = first; index < end; index++) drawRow(index, total);
    for (const row of spare) row.remove();
    spare = [];
    setAttributes(box, {
      "aria-activedescendant": isChoice && rows.has(active) ? `${name}-${active}` : undefined,
    });
  }

  function drawRow(index: number, total: number): void {
    const row = rows.get(index) ?? spare.pop() ?? element("div");
    rows.set(index, row);
    const attributes = render(row, index) ?? {};
    row.style.transform = `translateY(${index * rowHeight}px)`;
    const isActive = isChoice && index === active;
    setAttributes(row, {
      id: `${name}-${index}`,
      class: "row",
      role: ROW_ROLES[role],
      "aria-posinset": role === "listbox" ? index + 1 : undefined,
      "aria-setsize": role === "listbox" ? total : undefined,
      "aria-selected": role === "listbox" ? String(isActive) : undefined,
      "data-active": isActive,
      ...attributes,
    });
    if (row.parentNode !== spacer) spacer.append(row);
  }

  function reveal(index: number): void {
    const top = index * rowHeight;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + rowHeight > box.scrollTop + box.clientHeight) {
      box.scrollTop = top + rowHeight - box.clientHeight;
    }
  }

  function choose(index: number): void {
    const total = count();
    if (total === 0) return;
    active = Math.min(Math.max(index, 0), total - 1);
    reveal(active);
    draw();
    select?.(active);
  }

  function toTarget(pressed: string): number | undefined {
    const page = Math.max(1, Math.floor(box.clientHeight / (rowHeight || 1)) - 1);
    if (pressed === "ArrowDown") return active + 1;
    if (pressed === "ArrowUp") return Math.max(0, active - 1);
    if (pressed === "PageDown") return active + page;
    if (pressed === "PageUp") return active - page;
    if (pressed === "Home") return 0;
    return pressed === "End" ? count() - 1 : undefined;
  }

  const refresh = onNextFrame(draw);
  box.addEventListener("scroll", () => {
    isAtEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 2;
    refresh();
  }, { passive: true });
  if (isChoice) {
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const target = toTarget(event.key);
      if (target !== undefined) choose(target);
      else if (active < 0 || key?.(event.key, active) !== true) return;
      event.preventDefault();
    });
    box.addEventListener("click", (event) => {
      const row = event.target instanceof Element ? event.target.closest(".row") : null;
      for (const [index, candidate] of rows) if (candidate === row) choose(index);
    });
  }
  new ResizeObserver(() => {
    rowHeight = 0;
    drawnCount = -1;
    refresh();
  }).observe(box);

  return {
    element: box,
    get active(): number {
      return active;
    },
    refresh,
    show(index): void {
      active = index;
      rowHeight ||= measure();
      if (index >= 0) reveal(index);
      refresh();
    },
  };
}
