/**
 * The exchanges as a waterfall: one row each, all on one time axis.
 *
 * @module
 */
import { type Attributes, button, element } from "./dom.ts";
import { describeOutcome, type ExchangeRecord, type Exchanges, isOver } from "./exchanges.ts";
import { formatBytes, formatMs, toVisible } from "./format.ts";
import { createVirtualList } from "./virtual_list.ts";
import { type Bar, layoutWaterfall, type Mark, type Waterfall } from "./waterfall.ts";

/** The waterfall on the page. */
export interface ExchangesView {
  refresh(): void;
  /** Marks an exchange as the one that is shown. */
  show(record: ExchangeRecord): void;
}

/** What the waterfall needs, and whom it tells. */
export interface ExchangesViewDeps {
  readonly exchanges: Exchanges;
  /** Milliseconds by the clock of `performance.now()`. */
  now(): number;
  selected(record: ExchangeRecord): void;
  cancelAll(): void;
}

const NO_BAR: Bar = { start: 0, sent: 0, head: 0, end: 0 };
const NAMES = { queued: "queued", waiting: "wait", receiving: "transfer" } as const;
const PHASES = [["queued", "start", "sent"], ["waiting", "sent", "head"], [
  "receiving",
  "head",
  "end",
]] as const;

/** Fills a panel with the waterfall. */
export function createExchangesView(
  panel: HTMLElement,
  { exchanges, now, selected, cancelAll }: ExchangesViewDeps,
): ExchangesView {
  const filter = element("input", {
    type: "search",
    "aria-label": "Filter exchanges",
    placeholder: "Filter: URL, method, status",
  });
  const axis = element("div", { class: "axis", "aria-hidden": "true" });
  let first = 0;
  let waterfall: Waterfall = { bars: [], marks: [] };

  function records(): readonly ExchangeRecord[] {
    const wanted = filter.value.trim().toLowerCase();
    if (wanted === "") return exchanges.records;
    return exchanges.records.filter((record) =>
      `${record.draft.method} ${record.target} ${describeOutcome(record)}`.toLowerCase().includes(
        wanted,
      )
    );
  }

  let seen: readonly ExchangeRecord[] = [];
  const list = createVirtualList({
    label: "Exchanges",
    role: "listbox",
    follows: true,
    count(): number {
      seen = records();
      return seen.length;
    },
    drawn(from, end): void {
      first = from;
      waterfall = layoutWaterfall(seen.slice(from, end).map(({ moments }) => moments), now(), {
        widthPx: axis.clientWidth,
      });
      axis.replaceChildren(...waterfall.marks.map(drawMark));
    },
    render(row, index): Attributes | void {
      const record = seen[index];
      if (record === undefined) return;
      return drawExchange(row, record, {
        bar: waterfall.bars[index - first] ?? NO_BAR,
        now: now(),
      });
    },
    select(index): void {
      const record = seen[index];
      if (record !== undefined) selected(record);
    },
  });
  list.element.classList.add("exchange-list");

  filter.addEventListener("input", list.refresh);
  panel.append(
    element(
      "div",
      { class: "toolbar" },
      filter,
      button("Cancel all", cancelAll),
      button("Clear", () => {
        exchanges.clear();
        list.refresh();
      }),
      element(
        "span",
        { class: "legend", "aria-hidden": "true" },
        ...PHASES.map(([phase]) => element("span", { class: `key ${phase}` }, NAMES[phase])),
      ),
    ),
    element(
      "div",
      { class: "list-head", "aria-hidden": "true" },
      ...["Status", "Method", "URL", "Size", "Time"].map((text) => element("span", {}, text)),
      axis,
    ),
    list.element,
  );
  return {
    refresh: list.refresh,
    show(record): void {
      seen = records();
      list.show(seen.indexOf(record));
    },
  };
}

function drawMark({ at, label, isCut }: Mark): HTMLElement {
  const mark = element("span", {
    class: isCut ? "cut" : "tick",
    title: isCut ? `${label} without exchanges` : undefined,
  }, label);
  mark.style.left = `${at * 100}%`;
  return mark;
}

function drawExchange(
  row: HTMLElement,
  record: ExchangeRecord,
  { bar, now }: { readonly bar: Bar; readonly now: number },
): Attributes {
  const { draft, target, moments, receivedSize, failure, head } = record;
  const outcome = describeOutcome(record);
  const elapsed = formatMs((moments.end ?? now) - moments.start);
  const tone = failure !== undefined
    ? "bad"
    : head === undefined
    ? "idle"
    : head.status >= 400
    ? "warn"
    : "good";
  row.replaceChildren(
    element("span", { class: `outcome ${tone}`, title: outcome }, outcome),
    element("span", { class: "method" }, toVisible(draft.method, 20)),
    element("span", { class: "url", title: toVisible(target) }, toVisible(target, 300)),
    element("span", { class: "size" }, receivedSize === 0 ? "" : formatBytes(receivedSize)),
    element("span", { class: "time" }, elapsed),
    drawBar(bar, tone, isOver(record)),
  );
  return { "data-key": record.key };
}

function drawBar(bar: Bar, tone: string, isDone: boolean): HTMLElement {
  const track = element("span", { class: `track ${tone}${isDone ? "" : " live"}` });
  for (const [phase, from, to] of PHASES) {
    if (bar[to] <= bar[from] && phase !== "receiving") continue;
    const part = element("span", { class: phase });
    part.style.left = `${bar[from] * 100}%`;
    part.style.width = `${(bar[to] - bar[from]) * 100}%`;
    track.append(part);
  }
  return track;
}
