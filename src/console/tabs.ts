/**
 * Tabs as the ARIA Authoring Practices describe them: one tab stop, arrows move.
 *
 * @module
 */
import { setAttributes } from "./dom.ts";

/** Tabs on the page. */
export interface Tabs {
  /** The id of the panel that is shown. */
  readonly current: string;
  show(panelId: string): void;
}

/**
 * Brings a `role="tablist"` to life; its tabs name their panels with `aria-controls`.
 *
 * @param list The element.
 * @param shown Is told of the panel that is shown now.
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
    const there = tabs.filter((tab) => !isHidden(tab));
    const at = there.findIndex((tab) => panelOf(tab) === current);
    const next = event.key === "ArrowRight"
      ? there[(at + 1) % there.length]
      : event.key === "ArrowLeft"
      ? there[(at - 1 + there.length) % there.length]
      : event.key === "Home"
      ? there[0]
      : event.key === "End"
      ? there.at(-1)
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
