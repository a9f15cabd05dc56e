/**
 * The panel of the exchanges: a waterfall with one row for each exchange, on a common time axis.
 *
 * @module
 */
import { type Attributes, button, element } from "./dom.ts";
import {
  describeOutcome,
  type ExchangeStore,
  isOver,
  type ShownExchange,
  toneOf,
} from "./exchange_store.ts";
import { formatBytes, formatMs, toVisible } from "./format.ts";
import { createVirtualList } from "./virtual_list.ts";
import { type Bar, layoutWaterfall, type Mark, type Waterfall } from "./waterfall.ts";

/** The panel of the exchanges. */
export interface ExchangesView {
  refresh(): void;
  /** Selects an exchange. */
  show(exchange: ShownExchange): void;
}

const NO_BAR: Bar = { start: 0, sent: 0, head: 0, end: 0 };
const NAMES = { queued: "queued", waiting: "wait", receiving: "transfer" } as const;
const PHASES = [["queued", "start", "sent"], ["waiting", "sent", "head"], [
  "receiving",
  "head",
  "end",
]] as const;

/** Creates the waterfall inside a panel. */
export function createExchangesView(
  panel: HTMLElement,
  { store, now, selected, cancelAll }: {
    readonly store: ExchangeStore;
    /** Returns milliseconds, as `performance.now()` does. */
    now(): number;
    /** Called when an exchange is selected. */
    selected(exchange: ShownExchange): void;
    cancelAll(): void;
  },
): ExchangesView {
  const filter = element("input", {
    type: "search",
    "aria-label": "Filter exchanges",
    placeholder: "Filter: URL, method, status",
  });
  const axis = element("div", { class: "axis", "aria-hidden": "true" });
  let first = 0;
  let waterfall: Waterfall = { bars: [], marks: [] };

  function filterExchanges(): readonly ShownExchange[] {
    const text = filter.value.trim().toLowerCase();
    if (text === "") return store.exchanges;
    return store.exchanges.filter((exchange) =>
      `${exchange.draft.method} ${exchange.target} ${describeOutcome(exchange)}`.toLowerCase()
        .includes(
          text,
        )
    );
  }

  let visible: readonly ShownExchange[] = [];
  const list = createVirtualList({
    label: "Exchanges",
    role: "listbox",
    follows: true,
    count(): number {
      visible = filterExchanges();
      return visible.length;
    },
    drawn(from, end): void {
      first = from;
      waterfall = layoutWaterfall(visible.slice(from, end).map(({ moments }) => moments), now(), {
        widthPx: axis.clientWidth,
      });
      axis.replaceChildren(...waterfall.marks.map(drawMark));
    },
    render(row, index): Attributes | void {
      const exchange = visible[index];
      if (exchange === undefined) return;
      return drawExchange(row, exchange, {
        bar: waterfall.bars[index - first] ?? NO_BAR,
        now: now(),
      });
    },
    select(index): void {
      const exchange = visible[index];
      if (exchange !== undefined) selected(exchange);
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
        store.clear();
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
    show(exchange): void {
      visible = filterExchanges();
      list.show(visible.indexOf(exchange));
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
  exchange: ShownExchange,
  { bar, now }: { readonly bar: Bar; readonly now: number },
): Attributes {
  const { draft, target, moments, receivedSize } = exchange;
  const outcome = describeOutcome(exchange);
  const elapsed = formatMs((moments.end ?? now) - moments.start);
  const tone = toneOf(exchange);
  row.replaceChildren(
    element("span", { class: `outcome ${tone}` }, outcome),
    element("span", { class: "method" }, toVisible(draft.method, 20)),
    element("span", { class: "url" }, toVisible(target, 300)),
    element("span", { class: "size" }, receivedSize === 0 ? "" : formatBytes(receivedSize)),
    element("span", { class: "time" }, elapsed),
    drawBar(bar, tone, isOver(exchange)),
  );
  return { "data-key": exchange.key, title: `${outcome}: ${toVisible(target)}` };
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
