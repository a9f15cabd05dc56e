/**
 * The response pane: status, times, body, headers and frames of one exchange.
 *
 * @module
 */
import { createBodyView } from "./body_view.ts";
import { button, element, setAttributes } from "./dom.ts";
import { drawSummary } from "./response_summary.ts";
import { headersOf, isOver, type ShownExchange } from "./exchange_store.ts";
import { createFailureView } from "./failure_view.ts";
import { createFieldsView } from "./fields_view.ts";
import { createFrameList } from "./frame_list.ts";
import type { LoggedFrame } from "./frame_log.ts";
import { createTabs, type Tabs } from "./tabs.ts";
import { createTimingBar, createTimingTable } from "./timing_view.ts";

/** The response pane. */
export interface ResponseView {
  /** The visible exchange. */
  readonly exchange: ShownExchange | undefined;
  show(exchange: ShownExchange): void;
  refresh(): void;
}

/** What the pane shows, and the actions of its buttons. */
interface ExchangeActions {
  /** Returns milliseconds, as `performance.now()` does. */
  now(): number;
  framesOf(exchange: ShownExchange): readonly LoggedFrame[];
  cancel(exchange: ShownExchange): void;
  pause(exchange: ShownExchange, isPaused: boolean): void;
  sendAgain(exchange: ShownExchange): void;
}

const PARTS = [["body", "Body"], ["fields", "Headers"], ["timing", "Timing"], [
  "frames",
  "Frames",
]] as const;

/** Creates the response pane inside an element. */
export function createResponseView(box: HTMLElement, actions: ExchangeActions): ResponseView {
  let exchange: ShownExchange | undefined;
  let refreshExchange = (): void => {};
  let tabs: Tabs | undefined;
  return {
    get exchange(): ShownExchange | undefined {
      return exchange;
    },
    show(next): void {
      if (next === exchange) return;
      const current = tabs?.current ?? "response-body";
      exchange = next;
      ({ refresh: refreshExchange, tabs } = openExchange(box, next, actions));
      tabs.show(current);
      refreshExchange();
    },
    refresh: () => refreshExchange(),
  };
}

function openExchange(
  box: HTMLElement,
  exchange: ShownExchange,
  { now, framesOf, cancel, pause, sendAgain }: ExchangeActions,
): { refresh(): void; tabs: Tabs } {
  const title = element("div", { class: "response-summary" });
  const cancelButton = button("Cancel", () => cancel(exchange));
  const pauseButton = button("Pause", () => pause(exchange, !exchange.isPaused), {
    "aria-pressed": "false",
  });
  const timing = element("div");
  const failure = element("div");
  const tabButtons = PARTS.map(([part, name]) =>
    element("button", {
      type: "button",
      role: "tab",
      id: `tab-response-${part}`,
      "aria-controls": `response-${part}`,
    }, name)
  );
  const panels = PARTS.map(([part]) =>
    element("div", {
      role: "tabpanel",
      id: `response-${part}`,
      "aria-labelledby": `tab-response-${part}`,
      class: "panel flush",
    })
  );
  const tablist = element(
    "div",
    { role: "tablist", "aria-label": "Parts of the response" },
    ...tabButtons,
  );
  box.replaceChildren(
    element(
      "div",
      { class: "response-head" },
      title,
      element("div", { class: "actions" }, pauseButton, cancelButton),
    ),
    timing,
    failure,
    element("div", { class: "tabbar" }, tablist),
    ...panels,
  );
  const [bodyPanel, fieldsPanel, timingPanel, framesPanel] = panels;
  const body = createBodyView(exchange);
  const frames = createFrameList({
    label: "Frames of this exchange",
    frames: () => framesOf(exchange),
    since: exchange.moments.start,
  });
  bodyPanel?.append(body.element);
  framesPanel?.append(frames.element);
  timingPanel?.classList.add("scroll");
  fieldsPanel?.classList.add("scroll");
  setAttributes(fieldsPanel ?? box, { tabindex: 0 });
  setAttributes(timingPanel ?? box, { tabindex: 0 });
  let drawnHead: unknown;
  let drawnFailure: unknown;

  function refresh(): void {
    drawSummary(title, exchange, now());
    timing.replaceChildren(createTimingBar(exchange, now()));
    cancelButton.hidden = isOver(exchange);
    pauseButton.hidden = isOver(exchange) || exchange.draft.mode !== "chunks";
    pauseButton.textContent = exchange.isPaused ? "Resume" : "Pause";
    setAttributes(pauseButton, { "aria-pressed": String(exchange.isPaused) });
    if (exchange.failure !== drawnFailure && exchange.failure !== undefined) {
      drawnFailure = exchange.failure;
      failure.replaceChildren(
        createFailureView(exchange.failure, { sendAgain: () => sendAgain(exchange) }),
      );
    }
    if (exchange.head !== drawnHead || drawnHead === undefined) {
      drawnHead = exchange.head;
      fieldsPanel?.replaceChildren(createFieldsView(exchange));
      tabButtons[1]?.replaceChildren(
        "Headers ",
        element("span", { class: "count" }, String(headersOf(exchange).length || "")),
      );
    }
    if (tabs.current === "response-timing") {
      const requestId = findRequestId(framesOf(exchange));
      timingPanel?.replaceChildren(createTimingTable(exchange, { now: now(), requestId }));
    }
    if (tabs.current === "response-frames") frames.refresh();
    body.refresh();
  }

  const tabs = createTabs(tablist, () => queueMicrotask(refresh));
  return { refresh, tabs };
}

/** Returns the request id, which response and error frames may contain. */
function findRequestId(frames: readonly LoggedFrame[]): string | undefined {
  const frame = frames.findLast(({ type }) => type === "response" || type === "error");
  try {
    const { requestId } = JSON.parse(frame?.text ?? "{}");
    return typeof requestId === "string" ? requestId : undefined;
  } catch {
    return undefined; // the frame is invalid
  }
}
