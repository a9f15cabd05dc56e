/**
 * Shows text and bytes.
 *
 * @module
 */
import { element } from "./dom.ts";
import { toVisible } from "./format.ts";
import { countHexRows, toHexRow } from "./hex_dump.ts";
import { createVirtualList } from "./virtual_list.ts";

/** Longer texts are shown as a virtual list, since browsers take too long to lay them out as one block. */
const MAX_BLOCK = 200_000;
const MAX_LINE = 1000;
/** Narrower windows show half as many bytes in a row. */
const NARROW_PX = 620;

/** Creates a view of a text. */
export function createTextView(text: string): HTMLElement {
  if (text.length <= MAX_BLOCK) {
    return element(
      "pre",
      { class: "text code", tabindex: 0, role: "region", "aria-label": "Text" },
      text,
    );
  }
  const lines = text.split("\n").flatMap((line) =>
    line.length <= MAX_LINE ? [line] : line.match(/[^]{1,1000}/g) ?? [line]
  );
  const list = createVirtualList({
    label: "Text",
    role: "region",
    count: () => lines.length,
    render: (row, index) => row.replaceChildren(toVisible(lines[index] ?? "")),
  });
  list.element.classList.add("code");
  return list.element;
}

/** Creates a hexadecimal view. */
export function createHexView(bytes: Uint8Array): HTMLElement {
  const perRow = globalThis.innerWidth < NARROW_PX ? 8 : 16;
  const list = createVirtualList({
    label: "Bytes in hexadecimal",
    role: "region",
    count: () => countHexRows(bytes.byteLength, perRow),
    render(row, index): void {
      const { offset, hex, ascii } = toHexRow(bytes, index, perRow);
      row.replaceChildren(
        element("span", { class: "hex-offset" }, offset),
        element("span", { class: "hex-bytes" }, hex),
        element("span", { class: "hex-ascii" }, ascii),
      );
    },
  });
  list.element.classList.add("code", "hex");
  return list.element;
}

/** A view of a text that is still arriving. */
export interface GrowingText {
  readonly element: HTMLElement;
  append(text: string): void;
}

/** Creates a {@linkcode GrowingText}. Of a long text, only the end is shown. */
export function createGrowingText(): GrowingText {
  const block = element("pre", {
    class: "text code",
    tabindex: 0,
    role: "region",
    "aria-label": "Text so far",
  });
  let length = 0;
  return {
    element: block,
    append(text): void {
      if (text === "") return;
      const isAtEnd = block.scrollTop + block.clientHeight >= block.scrollHeight - 4;
      block.append(text);
      length += text.length;
      while (length > MAX_BLOCK && block.firstChild !== null && block.childNodes.length > 1) {
        length -= block.firstChild.textContent?.length ?? 0;
        block.firstChild.remove();
      }
      if (isAtEnd) block.scrollTop = block.scrollHeight;
    },
  };
}
