/**
 * A list of frames with the details of the selected frame.
 *
 * @module
 */
import { element, setAttributes } from "./dom.ts";
import { formatBytes, formatMs } from "./format.ts";
import { type LoggedFrame, summarize } from "./frame_log.ts";
import { readJson } from "./json_text.ts";
import { createJsonView } from "./json_view.ts";
import { createHexView, createTextView } from "./text_view.ts";
import { createVirtualList } from "./virtual_list.ts";

/** A list of frames. */
export interface FrameList {
  readonly element: HTMLElement;
  refresh(): void;
}

/** Creates a {@linkcode FrameList}. */
export function createFrameList({ label, frames, since }: {
  readonly label: string;
  /** Returns the current frames. */
  frames(): readonly LoggedFrame[];
  /** The time that is shown as 0, in milliseconds, as `performance.now()` returns it. */
  readonly since: number;
}): FrameList {
  const detail = element("div", { class: "detail" });
  detail.hidden = true;
  let shown: LoggedFrame | undefined;
  const list = createVirtualList({
    label,
    role: "listbox",
    follows: true,
    count: () => frames().length,
    render(row, index): void {
      const frame = frames()[index];
      if (frame !== undefined) drawFrame(row, frame, since);
    },
    select: (index) => show(frames()[index]),
  });
  list.element.classList.add("frame-list", "code");

  function show(frame: LoggedFrame | undefined): void {
    if (frame === undefined || frame === shown) return;
    shown = frame;
    detail.hidden = false;
    detail.replaceChildren(toDetail(frame));
    list.refresh();
  }

  return {
    element: element("div", { class: "frames" }, list.element, detail),
    refresh: list.refresh,
  };
}

function drawFrame(row: HTMLElement, frame: LoggedFrame, since: number): void {
  const isSent = frame.direction === "sent";
  const arrow = element(
    "span",
    { class: `arrow ${frame.direction}`, "aria-hidden": "true" },
    isSent ? "↑" : "↓",
  );
  row.replaceChildren(
    arrow,
    element("span", { class: "hidden" }, isSent ? "sent " : "received "),
    element("span", { class: "at" }, `+${formatMs(frame.at - since)}`),
    element("span", { class: "type" }, frame.type),
    element("span", { class: "id" }, frame.id === undefined ? "" : `${frame.id}`),
    element("span", { class: "size" }, formatBytes(frame.size)),
    element("span", { class: "text" }, summarize(frame)),
  );
  setAttributes(row, { "data-type": frame.type });
}

function toDetail({ text, bytes, size }: LoggedFrame): HTMLElement {
  if (text === undefined) {
    const stored = bytes ?? new Uint8Array();
    const note = stored.byteLength < size
      ? `The first ${formatBytes(stored.byteLength)} of a payload of ${formatBytes(size)}`
      : `A payload of ${formatBytes(size)}`;
    return element(
      "div",
      { class: "stack" },
      element("p", { class: "hint pad" }, note),
      createHexView(stored),
    );
  }
  const json = readJson(text);
  return json.type === "json" ? createJsonView(json) : createTextView(text);
}
