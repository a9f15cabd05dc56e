/**
 * The panel of the frame log, with a filter.
 *
 * @module
 */
import { button, element } from "./dom.ts";
import { formatCount } from "./format.ts";
import { createFrameList } from "./frame_list.ts";
import { type FrameFilter, type FrameLog, type LoggedFrame, matchesFilter } from "./frame_log.ts";

/** The panel of the frame log. */
export interface FramesView {
  refresh(): void;
}

const TYPES = [
  "hello",
  "request",
  "response",
  "event",
  "end",
  "chunk",
  "grant",
  "cancel",
  "error",
  "ping",
  "pong",
  "auth",
  "authenticated",
  "goaway",
];

/** Creates the frame log inside a panel. */
export function createFramesView(
  panel: HTMLElement,
  { log, since }: { readonly log: FrameLog; readonly since: number },
): FramesView {
  const text = element("input", {
    type: "search",
    "aria-label": "Filter frames",
    placeholder: "Filter: text, id, code",
  });
  const direction = element(
    "select",
    { "aria-label": "Direction" },
    element("option", { value: "" }, "both directions"),
    element("option", { value: "sent" }, "↑ sent"),
    element("option", { value: "received" }, "↓ received"),
  );
  const type = element(
    "select",
    { "aria-label": "Type" },
    element("option", { value: "" }, "all types"),
    ...TYPES.map((name) => element("option", {}, name)),
  );
  const note = element("span", { class: "hint", role: "status" });
  let filtered: readonly LoggedFrame[] = [];
  let lastKey = -1;
  let isFilterChanged = true;

  function readFilter(): FrameFilter {
    const { value } = direction;
    return {
      direction: value === "sent" || value === "received" ? value : undefined,
      type: type.value,
      text: text.value.trim(),
    };
  }

  /** Filters only the new frames, unless the filter has changed. */
  function frames(): readonly LoggedFrame[] {
    const filter = readFilter();
    const all = log.frames;
    const newest = all.at(-1)?.key ?? -1;
    if (!isFilterChanged && newest === lastKey) return filtered;
    const isAll = filter.direction === undefined && filter.type === "" && filter.text === "";
    const first = all[0]?.key ?? 0;
    const old = isFilterChanged ? [] : filtered.filter(({ key }) => key >= first);
    const added = isFilterChanged ? all : all.slice(Math.max(0, lastKey + 1 - first));
    filtered = isAll ? all : [...old, ...added.filter((frame) => matchesFilter(frame, filter))];
    lastKey = newest;
    isFilterChanged = false;
    return filtered;
  }

  const list = createFrameList({ label: "Frames", frames, since });

  function refresh(): void {
    const shown = frames().length;
    const all = log.frames.length;
    const dropped = log.dropped === 0 ? "" : `, ${formatCount(log.dropped)} removed`;
    note.textContent = shown === all
      ? dropped.slice(2)
      : `${formatCount(shown)} of ${formatCount(all)}${dropped}`;
    list.refresh();
  }

  for (const input of [text, direction, type]) {
    input.addEventListener("input", () => {
      isFilterChanged = true;
      refresh();
    });
  }
  const clear = button("Clear", () => {
    log.clear();
    isFilterChanged = true;
    refresh();
  });
  panel.append(
    element("div", { class: "toolbar" }, text, direction, type, clear, note),
    list.element,
  );
  return { refresh };
}
