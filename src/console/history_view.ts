/**
 * The list of sent requests, which can be loaded into the editor.
 *
 * @module
 */
import { button, element } from "./dom.ts";
import { type Draft, toTarget } from "./draft.ts";
import { formatClock, toVisible } from "./format.ts";
import type { History } from "./history.ts";

/** The panel of the history. */
export interface HistoryView {
  refresh(): void;
}

/** Creates the history inside a panel. */
export function createHistoryView(
  panel: HTMLElement,
  { history, chosen }: { readonly history: History; chosen(draft: Draft): void },
): HistoryView {
  const list = element("ul", { class: "history scroll", "aria-label": "Sent requests" });
  const empty = element(
    "p",
    { class: "hint pad" },
    "Requests that you send are listed here, and stored in this browser without credentials.",
  );
  const clear = button("Clear history", () => {
    history.clear();
    refresh();
  });

  function refresh(): void {
    const { entries } = history;
    empty.hidden = entries.length > 0;
    clear.disabled = entries.length === 0;
    list.replaceChildren(...entries.map(({ draft, at, outcome }) => {
      const open = button("", () => chosen(draft), { class: "entry" });
      open.append(
        element("span", { class: "outcome" }, toVisible(outcome, 40)),
        element("span", { class: "method" }, toVisible(draft.method, 20)),
        element("span", { class: "url" }, toVisible(toTarget(draft), 300)),
        element(
          "span",
          { class: "hint" },
          `${new Date(at).toLocaleDateString()} ${formatClock(at).slice(0, 8)}`,
        ),
      );
      return element("li", {}, open);
    }));
  }

  panel.append(
    element(
      "div",
      { class: "toolbar" },
      clear,
      element(
        "span",
        { class: "hint" },
        "Select a request to load it into the editor. Files are not stored.",
      ),
    ),
    empty,
    list,
  );
  refresh();
  return { refresh };
}
