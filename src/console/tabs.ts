/**
 * Tabs, after the ARIA Authoring Practices: one tab stop, arrow keys select.
 *
 * @module
 */
import { setAttributes } from "./dom.ts";

/** A list of tabs. */
export interface Tabs {
  /** The id of the visible panel. */
  readonly current: string;
  show(panelId: string): void;
}

/**
 * Makes the tabs of a `role="tablist"` show the panels that they name with `aria-controls`.
 *
 * @param list The element of the tab list.
 * @param shown Called with the id of the panel when a panel is shown.
 */
export function createTabs(list: HTMLElement, shown: (panelId: string) => void = () => {}): Tabs {
  const tabs = [...list.querySelectorAll<HTMLElement>('[role="tab"]')];
  const panelOf = (tab: HTMLElement): string => tab.getAttribute("aria-controls") ?? "";
  const isHidden = (tab: HTMLElement): boolean => tab.hidden === true;
  let current = "";

  function show(panelId: string): void {
    current = panelId;
    for (const tab of tabs) {
      const isShown = panelOf(tab) === panelId;
      setAttributes(tab, { "aria-selected": String(isShown), tabindex: isShown ? 0 : -1 });
      const panel = document.getElementById(panelOf(tab));
      if (panel !== null) panel.hidden = !isShown;
    }
    shown(panelId);
  }

  list.addEventListener("click", (event) => {
    const tab = event.target instanceof Element ? event.target.closest('[role="tab"]') : null;
    if (tab instanceof HTMLElement) show(panelOf(tab));
  });
  list.addEventListener("keydown", (event) => {
    const visible = tabs.filter((tab) => !isHidden(tab));
    const at = visible.findIndex((tab) => panelOf(tab) === current);
    const next = event.key === "ArrowRight"
      ? visible[(at + 1) % visible.length]
      : event.key === "ArrowLeft"
      ? visible[(at - 1 + visible.length) % visible.length]
      : event.key === "Home"
      ? visible[0]
      : event.key === "End"
      ? visible.at(-1)
      : undefined;
    if (next === undefined) return;
    event.preventDefault();
    show(panelOf(next));
    next.focus();
  });
  const first = tabs.find((tab) => tab.getAttribute("aria-selected") === "true") ?? tabs[0];
  if (first !== undefined) show(panelOf(first));
  return {
    get current(): string {
      return current;
    },
    show,
  };
}
