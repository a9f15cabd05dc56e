/**
 * Shows server-sent events and lines while they arrive.
 *
 * @module
 */
import { element } from "./dom.ts";
import type { ReceivedEvent, ShownExchange } from "./exchange_store.ts";
import { formatCount, formatMs, toVisible } from "./format.ts";
import { readJson } from "./json_text.ts";
import { createJsonView } from "./json_view.ts";
import { createTextView } from "./text_view.ts";
import { createVirtualList } from "./virtual_list.ts";

/** A view that follows an exchange. */
export interface LiveView {
  readonly element: HTMLElement;
  refresh(): void;
}

/** Creates a list of the events of an exchange. */
export function createEventsView(exchange: ShownExchange): LiveView {
  const { events } = exchange;
  const isLines = exchange.draft.mode === "lines";
  const detail = element("div", { class: "detail" });
  const note = element("p", { class: "hint pad" });
  detail.hidden = note.hidden = true;
  const list = createVirtualList({
    label: isLines ? "Lines" : "Events",
    role: "listbox",
    follows: true,
    count: () => events.length,
    render(row, index): void {
      const event = events[index];
      if (event !== undefined) drawEvent(row, event, isLines ? String(index + 1) : event.type);
    },
    select(index): void {
      const event = events[index];
      if (event === undefined) return;
      detail.hidden = false;
      detail.replaceChildren(toDetail(event));
    },
  });
  list.element.classList.add("code", "event-list");
  return {
    element: element("div", { class: "stack" }, note, list.element, detail),
    refresh(): void {
      note.hidden = exchange.droppedEvents === 0;
      note.textContent = `${formatCount(exchange.droppedEvents)} more were received but not stored`;
      list.refresh();
    },
  };
}

function drawEvent(row: HTMLElement, { at, data, lastEventId }: ReceivedEvent, name: string): void {
  row.replaceChildren(
    element("span", { class: "at" }, `+${formatMs(at)}`),
    element("span", { class: "type" }, toVisible(name, 40)),
    element("span", { class: "text" }, toVisible(data, 500)),
    ...(lastEventId === undefined || lastEventId === ""
      ? []
      : [element("span", { class: "hint" }, `id ${toVisible(lastEventId, 40)}`)]),
  );
}

function toDetail({ data }: ReceivedEvent): HTMLElement {
  const json = /^\s*[[{]/.test(data) ? readJson(data) : undefined;
  return json?.type === "json" ? createJsonView(json) : createTextView(data);
}
