/**
 * The editor of request headers: one row for each.
 *
 * @module
 */
import type { HeaderPairs } from "../protocol/mod.ts";
import { isCredentialName } from "./credentials.ts";
import { button, element, setAttributes } from "./dom.ts";

/** The rows of the headers. */
export interface HeaderRows {
  /** The headers that have a name or a value. */
  readonly pairs: HeaderPairs;
  load(pairs: HeaderPairs): void;
  /** Adds an empty row and focuses it. */
  add(): void;
  focus(): void;
}

const NAMES = [
  "accept",
  "accept-language",
  "authorization",
  "cache-control",
  "content-type",
  "cookie",
  "if-match",
  "if-none-match",
  "origin",
  "range",
  "user-agent",
];

/** Creates the rows inside an element. */
export function createHeaderRows(box: HTMLElement, { edited }: { edited(): void }): HeaderRows {
  const names = element(
    "datalist",
    { id: "header-names" },
    ...NAMES.map((value) => element("option", { value })),
  );
  box.after(names);

  const rowsOf = (): HTMLElement[] => [...box.querySelectorAll<HTMLElement>(".header-row")];
  const inputsOf = (row: HTMLElement): HTMLInputElement[] => [...row.querySelectorAll("input")];

  function addRow(name: string, value: string): HTMLElement {
    const nameInput = element("input", {
      "aria-label": "Header name",
      placeholder: "name",
      list: "header-names",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
    });
    const valueInput = element("input", {
      "aria-label": "Header value",
      placeholder: "value",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
    });
    nameInput.value = name;
    valueInput.value = value;
    const hint = element("span", { class: "hint keep" });
    const remove = button("✕", () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      (next?.querySelector("input") ?? document.getElementById("add-header"))?.focus();
      edited();
    }, { "aria-label": "Remove header" });
    const row = element("div", { class: "header-row" }, nameInput, valueInput, remove, hint);
    const update = (): void => {
      hint.textContent = isCredentialName(nameInput.value)
        ? "Credential: omitted from history and links"
        : "";
      setAttributes(valueInput, { "aria-label": `Value of ${nameInput.value || "the header"}` });
      setAttributes(remove, { "aria-label": `Remove ${nameInput.value || "the header"}` });
    };
    row.addEventListener("input", () => {
      update();
      edited();
    });
    update();
    box.append(row);
    return row;
  }

  return {
    get pairs(): HeaderPairs {
      return rowsOf().flatMap((row) => {
        const [name, value] = inputsOf(row);
        const pair = [name?.value.trim() ?? "", value?.value.trim() ?? ""] as const;
        return pair[0] === "" && pair[1] === "" ? [] : [pair];
      });
    },
    load(pairs): void {
      box.replaceChildren();
      for (const [name, value] of pairs) addRow(name, value);
    },
    add(): void {
      inputsOf(addRow("", ""))[0]?.focus();
    },
    focus: () => box.querySelector("input")?.focus(),
  };
}
