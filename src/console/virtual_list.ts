/**
 * A list of any length of which only the rows exist that are to be seen. Works by keyboard, with one tab stop.
 *
 * @module
 */
import { type Attributes, element, onNextFrame, setAttributes } from "./dom.ts";

/** What a list shows. */
export interface ListOptions {
  readonly label: string;
  /** `listbox` to choose from, `tree` for what folds; `region`: rows are for reading only. */
  readonly role: "listbox" | "tree" | "region";
  count(): number;
  /** Fills a row; gives attributes for it. */
  render(row: HTMLElement, index: number): Attributes | void;
  /** A row was chosen, by pointer or keyboard. */
  select?(index: number): void;
  /** A key was pressed that moves nothing. Gives `true` when it meant something. */
  key?(key: string, index: number): boolean;
  /** The rows between these two are to be seen. */
  drawn?(first: number, end: number): void;
  /** Stays at the end while it is there, as a log does. */
  readonly follows?: boolean;
}

/** A list on the page. */
export interface VirtualList {
  readonly element: HTMLElement;
  /** The chosen row; -1: none. */
  readonly active: number;
  /** Draws before the next paint: the data has changed. */
  refresh(): void;
  /** Chooses a row and brings it into view, without telling. */
  show(index: number): void;
}

/** Rows drawn beyond those that are to be seen, so that scrolling finds them. */
const EXTRA_ROWS = 6;
const ROW_ROLES = { listbox: "option", tree: "treeitem", region: undefined } as const;

let lists = 0;

/** Creates a list, to be put into the page. */
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

  /** As the style sheet has it, which depends on the reader's font size. */
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
      // An empty list of choices has no choices to offer: to a screen reader it is a plain region.
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
