/**
 * The headers of a response.
 *
 * @module
 */
import { element } from "./dom.ts";
import { headersOf, type ShownExchange } from "./exchange_store.ts";
import { toVisible } from "./format.ts";

/** Creates a table of the headers that have arrived. */
export function createFieldsView(exchange: ShownExchange): HTMLElement {
  const headers = headersOf(exchange);
  if (headers.length === 0) return element("p", { class: "hint pad" }, "No headers have arrived.");
  return element(
    "table",
    { class: "fields" },
    element("caption", { class: "hidden" }, "Headers of the response"),
    element(
      "thead",
      { class: "hidden" },
      element(
        "tr",
        {},
        element("th", { scope: "col" }, "Name"),
        element("th", { scope: "col" }, "Value"),
      ),
    ),
    element(
      "tbody",
      {},
      ...headers.map(([name, value]) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, toVisible(name, 200)),
          element("td", {}, toVisible(value, 8000)),
        )
      ),
    ),
  );
}
