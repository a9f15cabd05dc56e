/**
 * What is wrong with the request, beside the fields that it is about.
 *
 * @module
 */
import { byId, setAttributes } from "./dom.ts";
import type { Fault } from "./draft.ts";

const FAULTS = {
  method: { input: "method-other", text: "url-fault" },
  url: { input: "url", text: "url-fault" },
  headers: { input: "header-rows", text: "headers-fault" },
  body: { input: "body-text", text: "body-fault" },
  timeout: { input: "timeout", text: "timeout-fault" },
} as const satisfies Record<Fault["field"], { input: string; text: string }>;

/** Gives the field that a fault is about. */
export function inputOf({ field }: Fault): HTMLElement {
  return byId(FAULTS[field].input, HTMLElement);
}

/** Shows these faults and no others. */
export function showFaults(faults: readonly Fault[]): void {
  for (const { input, text } of Object.values(FAULTS)) {
    const target = byId(text, HTMLElement);
    target.hidden = true;
    target.textContent = "";
    byId(input, HTMLElement).removeAttribute("aria-invalid");
  }
  for (const { field, message } of faults) {
    const target = byId(FAULTS[field].text, HTMLElement);
    target.hidden = false;
    target.textContent ||= message;
    if (field !== "headers") {
      setAttributes(byId(FAULTS[field].input, HTMLElement), { "aria-invalid": "true" });
    }
  }
}
