/**
 * The bars that resize the panes, after the window splitters of the ARIA Authoring Practices.
 *
 * @module
 */
import { setAttributes } from "./dom.ts";

const STEP = 2;

/** Makes a `role="separator"` resize the panes on either side. Sizes are percentages of the container. */
export function createSplitter(
  bar: HTMLElement,
  container: HTMLElement,
  { property, min, max, initial, isReversed = false }: {
    /** The custom property of the container that is set to the size. */
    readonly property: string;
    readonly min: number;
    readonly max: number;
    readonly initial: number;
    /** The size is that of the pane after the bar, not before it. */
    readonly isReversed?: boolean;
  },
): void {
  const isVertical = bar.getAttribute("aria-orientation") === "vertical";
  let size = initial;

  function set(next: number): void {
    size = Math.min(max, Math.max(min, next));
    container.style.setProperty(property, `${size}%`);
    setAttributes(bar, {
      "aria-valuemin": min,
      "aria-valuemax": max,
      "aria-valuenow": Math.round(size),
    });
  }

  bar.addEventListener("keydown", (event) => {
    const [less, more] = isVertical ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    const direction = isReversed ? -1 : 1;
    if (event.key === less) set(size - STEP * direction);
    else if (event.key === more) set(size + STEP * direction);
    else if (event.key === "Home") set(min);
    else if (event.key === "End") set(max);
    else if (event.key === "Enter") set(initial);
    else return;
    event.preventDefault();
  });
  bar.addEventListener("pointerdown", (event) => {
    bar.setPointerCapture(event.pointerId);
    event.preventDefault();
    bar.focus();
  });
  bar.addEventListener("pointermove", (event) => {
    if (!bar.hasPointerCapture(event.pointerId)) return;
    const { left, top, width, height } = container.getBoundingClientRect();
    const at = isVertical ? (event.clientX - left) / width : (event.clientY - top) / height;
    set((isReversed ? 1 - at : at) * 100);
  });
  bar.addEventListener("dblclick", () => set(initial));
  set(initial);
}
