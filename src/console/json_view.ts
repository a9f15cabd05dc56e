/**
 * Shows JSON as a tree that can be folded.
 *
 * @module
 */
import { type Attributes, button, element } from "./dom.ts";
import { toVisible } from "./format.ts";
import { createFolding, toParts } from "./json_layout.ts";
import type { JsonDocument } from "./json_text.ts";
import { createVirtualList } from "./virtual_list.ts";

/** Longer parts are cut off; the text view shows all of them. */
const MAX_PART = 2000;

/** Creates a view of a JSON document. */
export function createJsonView(json: JsonDocument): HTMLElement {
  const folding = createFolding(json);
  const list = createVirtualList({
    label: "JSON",
    role: "tree",
    count: () => folding.count,
    render,
    select(): void {},
    key: handleKey,
  });

  function render(row: HTMLElement, index: number): Attributes | void {
    const line = folding.lineAt(index);
    const at = json.lines[line];
    if (at === undefined) return;
    const folded = folding.isFolded(line);
    row.replaceChildren(
      ...(at.type === "open"
        ? [
          element(
            "span",
            { class: "fold-mark", "data-line": line, "aria-hidden": "true" },
            folded ? "▸" : "▾",
          ),
        ]
        : []),
      ...toParts(json, line, folded).map(({ kind, text }) =>
        element("span", { class: `json-${kind}` }, toVisible(text, MAX_PART))
      ),
    );
    row.style.setProperty("--depth", String(at.depth));
    return {
      "aria-level": at.depth + 1,
      "aria-expanded": at.type === "open" ? String(!folded) : undefined,
      "aria-label": at.type === "close" ? "end" : undefined,
    };
  }

  function fold(row: number, folded: boolean): void {
    folding.set(folding.lineAt(row), folded);
    list.refresh();
  }

  function handleKey(key: string, row: number): boolean {
    const line = folding.lineAt(row);
    const isOpen = json.lines[line]?.type === "open";
    const isFolded = folding.isFolded(line);
    if (isOpen && (key === "Enter" || key === " ")) fold(row, !isFolded);
    else if (key === "ArrowRight") {
      if (isOpen && isFolded) fold(row, false);
      else if (isOpen) list.show(row + 1);
    } else if (key === "ArrowLeft") {
      if (isOpen && !isFolded) fold(row, true);
      else list.show(folding.rowOf(parentOf(line)));
    } else return false;
    return true;
  }

  function parentOf(line: number): number {
    const depth = json.lines[line]?.depth ?? 0;
    for (let at = line - 1; at >= 0; at--) {
      const before = json.lines[at];
      if (before?.type === "open" && before.depth < depth) return at;
    }
    return line;
  }

  list.element.addEventListener("click", (event) => {
    const mark = event.target instanceof HTMLElement ? event.target.dataset.line : undefined;
    if (mark !== undefined) fold(folding.rowOf(Number(mark)), !folding.isFolded(Number(mark)));
  });
  list.element.classList.add("code");
  const setAll = (folded: boolean) => (): void => {
    folding.setAll(folded);
    list.refresh();
  };
  return element(
    "div",
    { class: "json-view" },
    element(
      "div",
      { class: "corner" },
      button("Fold all", setAll(true)),
      button("Unfold all", setAll(false)),
    ),
    list.element,
  );
}
