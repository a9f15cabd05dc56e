/**
 * Shows why an exchange has failed and what to do.
 *
 * @module
 */
import { button, element } from "./dom.ts";
import type { Failure } from "./exchange_store.ts";
import { formatMs, toVisible } from "./format.ts";
import { ERROR_HELP, findHelp, REFUSAL_HELP, SENT_HELP } from "./help.ts";

/** Creates the view of a failure. */
export function createFailureView(
  { code, message, sent, retryable, retryAfterMs, isRefusal }: Failure,
  { sendAgain }: { sendAgain(): void },
): HTMLElement {
  const help = isRefusal ? findHelp(REFUSAL_HELP, code) : findHelp(ERROR_HELP, code);
  return element(
    "div",
    { class: "failure", role: "group", "aria-label": "Failure" },
    element("p", { class: "code-name" }, element("code", {}, toVisible(code, 80))),
    element("p", { class: "message" }, toVisible(message)),
    element(
      "ul",
      { class: "facts" },
      element("li", {}, element("b", {}, `sent: ${sent}`), ` ${SENT_HELP[sent]}`),
      element(
        "li",
        {},
        element("b", {}, `retryable: ${retryable ? "yes" : "no"}`),
        retryable ? " The same request may succeed later" : " The same request would fail again",
        retryAfterMs === undefined ? "" : `, after ${formatMs(retryAfterMs)}`,
      ),
    ),
    element(
      "div",
      { class: "todo" },
      element("h3", {}, "What to do"),
      element(
        "p",
        {},
        help?.replace("{origin}", location.origin) ??
          "This page does not know the code. PROTOCOL.md of the service explains it.",
      ),
      ...(retryable ? [button("Send again", sendAgain)] : []),
    ),
  );
}
