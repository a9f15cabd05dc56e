/**
 * What was sent before, to be sent again.
 *
 * @module
 */
import { button, element } from "./dom.ts";
import { type Draft, toTarget } from "./draft.ts";
import { formatClock, toVisible } from "./format.ts";
import type { History } from "./history.ts";

/** The history on the page. */
export interface HistoryView {
  refresh(): void;
}

/** Fills a panel with the history. */
export function createHistoryView(
  panel: HTMLElement,
  { history, chosen }: { readonly history: History; chosen(draft: Draft): void },
): HistoryView {
  const list = element("ul", { class: "history scroll", "aria-label": "Requests that were sent" });
  const empty = element(
    "p",
    { class: "hint pad" },
    "What you send is listed here, and kept in this browser without credentials.",
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
        "Choose one to bring it back into the editor. Files are not kept.",
      ),
    ),
    empty,
    list,
  );
  refresh();
  return { refresh };
}
