/**
 * Shows the problems of a request next to its fields.
 *
 * @module
 */
import { byId, setAttributes } from "./dom.ts";
import type { DraftProblem } from "./draft.ts";

const ELEMENT_IDS = {
  method: { input: "method-other", text: "url-problem" },
  url: { input: "url", text: "url-problem" },
  headers: { input: "header-rows", text: "headers-problem" },
  body: { input: "body-text", text: "body-problem" },
  timeout: { input: "timeout", text: "timeout-problem" },
} as const satisfies Record<DraftProblem["field"], { input: string; text: string }>;

/** Returns the input of a problem. */
export function inputOf({ field }: DraftProblem): HTMLElement {
  return byId(ELEMENT_IDS[field].input, HTMLElement);
}

/** Shows these problems and removes all others. */
export function showFieldProblems(problems: readonly DraftProblem[]): void {
  for (const { input, text } of Object.values(ELEMENT_IDS)) {
    const target = byId(text, HTMLElement);
    target.hidden = true;
    target.textContent = "";
    byId(input, HTMLElement).removeAttribute("aria-invalid");
  }
  for (const { field, message } of problems) {
    const target = byId(ELEMENT_IDS[field].text, HTMLElement);
    target.hidden = false;
    target.textContent ||= message;
    if (field !== "headers") {
      setAttributes(byId(ELEMENT_IDS[field].input, HTMLElement), { "aria-invalid": "true" });
    }
  }
}
