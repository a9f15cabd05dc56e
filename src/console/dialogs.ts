/**
 * The dialogs that copy a request in another format and share it as a link.
 *
 * @module
 */
import { COPY_FORMATS, copyAs, type CopyFormat } from "./copy_as.ts";
import type { CopyContext } from "./copy_curl.ts";
import { button, byId, element } from "./dom.ts";
import type { Draft } from "./draft.ts";
import { encodeShare } from "./share.ts";

/** The dialogs. */
export interface Dialogs {
  copyAs(draft: Draft, context: CopyContext): void;
  /** @param secrets Values that are removed from the link. */
  share(draft: Draft, secrets: readonly string[]): void;
}

/** Creates the dialogs on the elements of the page. */
export function createDialogs({ announce }: { announce(text: string): void }): Dialogs {
  const dialog = byId("dialog", HTMLDialogElement);
  const title = byId("dialog-title", HTMLElement);
  const content = byId("dialog-content", HTMLElement);
  let format: CopyFormat = "client";
  byId("dialog-close", HTMLElement).addEventListener("click", () => dialog.close());
  // A click on the backdrop has the dialog itself as its target.
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });

  function open(name: string, ...children: readonly (Node | string)[]): void {
    title.textContent = name;
    content.replaceChildren(...children);
    dialog.showModal();
  }

  function copyButton(field: HTMLTextAreaElement): HTMLButtonElement {
    const copy = button("Copy", async () => {
      const isCopied = await copyText(field);
      copy.textContent = isCopied ? "Copied" : "Press Ctrl+C";
      announce(isCopied ? "Copied" : "Press Control C to copy");
      setTimeout(() => copy.textContent = "Copy", 2000);
    }, { class: "primary" });
    return copy;
  }

  return {
    copyAs(draft, context): void {
      const text = element("textarea", {
        readonly: true,
        "aria-label": "Request in this format",
        class: "code",
        rows: 14,
        spellcheck: "false",
      });
      const notes = element("ul", { class: "hint" });
      const draw = (): void => {
        const copied = copyAs(format, draft, context);
        text.value = copied.text;
        notes.replaceChildren(...copied.notes.map((note) => element("li", {}, note)));
      };
      const choice = element(
        "fieldset",
        { class: "segments" },
        element("legend", { class: "hidden" }, "Format"),
        ...Object.entries(COPY_FORMATS).map(([value, label]) => {
          const input = element("input", {
            type: "radio",
            name: "copy-format",
            value,
            checked: value === format,
          });
          input.addEventListener("input", () => {
            format = value as CopyFormat; // a key of COPY_FORMATS
            draw();
          });
          return element("label", {}, input, element("span", {}, label));
        }),
      );
      draw();
      open("Copy as", choice, text, notes, copyButton(text));
    },
    share(draft, secrets): void {
      const { fragment, omitted } = encodeShare(draft, secrets);
      const text = element("textarea", {
        readonly: true,
        "aria-label": "Link to the request",
        class: "code",
        rows: 6,
        spellcheck: "false",
      });
      text.value = `${location.origin}${location.pathname}${fragment}`;
      const note = omitted.length === 0
        ? element(
          "p",
          { class: "hint" },
          "The link opens this request in the editor; nothing is sent before the user sends it. The link contains no token.",
        )
        : element(
          "div",
          { class: "hint" },
          element(
            "p",
            {},
            "The link opens this request in the editor. Omitted because they may be credentials or are too long:",
          ),
          element("ul", {}, ...omitted.map((what) => element("li", {}, what))),
        );
      open("Share", text, note, copyButton(text));
    },
  };
}

/** Copies the text of a field. Returns `false` if the browser does not allow it. */
export async function copyText(field: HTMLTextAreaElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    // Not allowed, or the context is not secure. At least the text is selected.
    field.focus();
    field.select();
    return document.execCommand("copy");
  }
}
