/**
 * An exchange as its answer comes: status, time, body, headers, frames.
 *
 * @module
 */
import { createBodyView } from "./body_view.ts";
import { button, element, setAttributes } from "./dom.ts";
import { drawTitle } from "./answer_title.ts";
import { type ExchangeRecord, headersOf, isOver } from "./exchanges.ts";
import { createFailureView } from "./failure_view.ts";
import { createFieldsView } from "./fields_view.ts";
import { createFrameList } from "./frame_list.ts";
import type { LoggedFrame } from "./frame_log.ts";
import { createTabs, type Tabs } from "./tabs.ts";
import { createTimingBar, createTimingTable } from "./timing_view.ts";

/** The answer on the page. */
export interface AnswerView {
  /** The exchange that is shown. */
  readonly record: ExchangeRecord | undefined;
  show(record: ExchangeRecord): void;
  refresh(): void;
}

/** What an answer needs, and whom it tells. */
export interface AnswerViewDeps {
  /** Milliseconds by the clock of `performance.now()`. */
  now(): number;
  framesOf(record: ExchangeRecord): readonly LoggedFrame[];
  cancel(record: ExchangeRecord): void;
  pause(record: ExchangeRecord, isPaused: boolean): void;
  sendAgain(record: ExchangeRecord): void;
}

const PARTS = [["body", "Body"], ["fields", "Headers"], ["timing", "Timing"], [
  "frames",
  "Frames",
]] as const;

/** Fills an element with answers, one at a time. */
export function createAnswerView(box: HTMLElement, deps: AnswerViewDeps): AnswerView {
  let record: ExchangeRecord | undefined;
  let refreshRecord = (): void => {};
  let tabs: Tabs | undefined;
  return {
    get record(): ExchangeRecord | undefined {
      return record;
    },
    show(next): void {
      if (next === record) return;
      const current = tabs?.current ?? "answer-body";
      record = next;
      ({ refresh: refreshRecord, tabs } = openRecord(box, next, deps));
      tabs.show(current);
      refreshRecord();
    },
    refresh: () => refreshRecord(),
  };
}

function openRecord(
  box: HTMLElement,
  record: ExchangeRecord,
  { now, framesOf, cancel, pause, sendAgain }: AnswerViewDeps,
): { refresh(): void; tabs: Tabs } {
  const title = element("div", { class: "answer-title" });
  const stop = button("Cancel", () => cancel(record));
  const hold = button("Pause", () => pause(record, !record.isPaused), { "aria-pressed": "false" });
  const timing = element("div");
  const failure = element("div");
  const tabButtons = PARTS.map(([part, name]) =>
    element("button", {
      type: "button",
      role: "tab",
      id: `tab-answer-${part}`,
      "aria-controls": `answer-${part}`,
    }, name)
  );
  const panels = PARTS.map(([part]) =>
    element("div", {
      role: "tabpanel",
      id: `answer-${part}`,
      "aria-labelledby": `tab-answer-${part}`,
      class: "panel flush",
    })
  );
  const tablist = element(
    "div",
    { role: "tablist", "aria-label": "Parts of the answer" },
    ...tabButtons,
  );
  box.replaceChildren(
    element(
      "div",
      { class: "answer-head" },
      title,
      element("div", { class: "actions" }, hold, stop),
    ),
    timing,
    failure,
    element("div", { class: "tabbar" }, tablist),
    ...panels,
  );
  const [bodyPanel, fieldsPanel, timingPanel, framesPanel] = panels;
  const body = createBodyView(record);
  const frames = createFrameList({
    label: "Frames of this exchange",
    frames: () => framesOf(record),
    since: record.moments.start,
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
    drawTitle(title, record, now());
    timing.replaceChildren(createTimingBar(record, now()));
    stop.hidden = isOver(record);
    hold.hidden = isOver(record) || record.draft.mode !== "chunks";
    hold.textContent = record.isPaused ? "Resume" : "Pause";
    setAttributes(hold, { "aria-pressed": String(record.isPaused) });
    if (record.failure !== drawnFailure && record.failure !== undefined) {
      drawnFailure = record.failure;
      failure.replaceChildren(
        createFailureView(record.failure, { sendAgain: () => sendAgain(record) }),
      );
    }
    if (record.head !== drawnHead || drawnHead === undefined) {
      drawnHead = record.head;
      fieldsPanel?.replaceChildren(createFieldsView(record));
      tabButtons[1]?.replaceChildren(
        "Headers ",
        element("span", { class: "count" }, String(headersOf(record).length || "")),
      );
    }
    if (tabs.current === "answer-timing") {
      const requestId = findRequestId(framesOf(record));
      timingPanel?.replaceChildren(createTimingTable(record, { now: now(), requestId }));
    }
    if (tabs.current === "answer-frames") frames.refresh();
    body.refresh();
  }

  const tabs = createTabs(tablist, () => queueMicrotask(refresh));
  return { refresh, tabs };
}

/** A response and an error may name the request for the operator. */
function findRequestId(frames: readonly LoggedFrame[]): string | undefined {
  const frame = frames.findLast(({ type }) => type === "response" || type === "error");
  try {
    const { requestId } = JSON.parse(frame?.text ?? "{}");
    return typeof requestId === "string" ? requestId : undefined;
  } catch {
    return undefined; // a frame that is none has no request either
  }
}
