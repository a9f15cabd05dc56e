/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Finds and creates elements. Strings always become text, never markup.
 *
 * @module
 */

/** The values of attributes. `false` and `undefined` remove an attribute, `true` sets it to `""`. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Creates an element. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

/** Sets and removes attributes. */
export function setAttributes(target: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) target.removeAttribute(name);
    else target.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Creates a button. */
export function button(
  label: string,
  onClick: () => void,
  attributes: Attributes = {},
): HTMLButtonElement {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", onClick);
  return made;
}

/**
 * Returns the element with this id.
 *
 * @throws {TypeError} The page has no such element, or it has another type.
 */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new TypeError(`The page has no ${type.name} #${id}`);
}

/** Returns a function that schedules `draw` before the next paint. Several calls before then schedule it once. */
export function onNextFrame(draw: () => void): () => void {
  let isScheduled = false;
  return () => {
    if (isScheduled) return;
    isScheduled = true;
    requestAnimationFrame(() => {
      isScheduled = false;
      draw();
    });
  };
}

/** Creates a description list. */
export function definitions(
  pairs: readonly (readonly [term: string, value: string | Node])[],
): HTMLDListElement {
  return element(
    "dl",
    {},
    ...pairs.map(([term, value]) =>
      element("div", {}, element("dt", {}, term), element("dd", {}, value))
    ),
  );
}
