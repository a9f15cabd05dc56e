/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The page's elements: found by id, or made. Text only ever becomes text.
 *
 * @module
 */

/** What an attribute is set to; `false` and `undefined`: it is not there. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Makes an element. */
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

/** Makes a button. */
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
 * Gives the element of the page that has this id.
 *
 * @throws {TypeError} The page has none, or one of another kind.
 */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new TypeError(`The page has no ${type.name} #${id}`);
}

/** Gives a function that calls `draw` once before the next frame is painted, however often it is called. */
export function onNextFrame(draw: () => void): () => void {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      draw();
    });
  };
}

/** Gives a list of terms and what they are. */
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
