/**
 * The bars between the panes, as the ARIA Authoring Practices describe window splitters.
 *
 * @module
 */
import { setAttributes } from "./dom.ts";

/** How a splitter divides. */
export interface SplitterOptions {
  /** The custom property of the container that holds the share, in percent. */
  readonly property: string;
  readonly min: number;
  readonly max: number;
  readonly initial: number;
  /** The share is that of the pane behind the bar. */
  readonly isReversed?: boolean;
}

const STEP = 2;

/** Brings a `role="separator"` to life. */
export function createSplitter(
  bar: HTMLElement,
  container: HTMLElement,
  { property, min, max, initial, isReversed = false }: SplitterOptions,
): void {
  const isVertical = bar.getAttribute("aria-orientation") === "vertical";
  let share = initial;

  function set(next: number): void {
    share = Math.min(max, Math.max(min, next));
    container.style.setProperty(property, `${share}%`);
    setAttributes(bar, {
      "aria-valuemin": min,
      "aria-valuemax": max,
      "aria-valuenow": Math.round(share),
    });
  }

  bar.addEventListener("keydown", (event) => {
    const [less, more] = isVertical ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    const direction = isReversed ? -1 : 1;
    if (event.key === less) set(share - STEP * direction);
    else if (event.key === more) set(share + STEP * direction);
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
