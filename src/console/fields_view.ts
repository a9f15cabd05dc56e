/**
 * The headers of a response.
 *
 * @module
 */
import { element } from "./dom.ts";
import { type ExchangeRecord, headersOf } from "./exchanges.ts";
import { toVisible } from "./format.ts";

/** Shows the headers that have come. */
export function createFieldsView(record: ExchangeRecord): HTMLElement {
  const headers = headersOf(record);
  if (headers.length === 0) return element("p", { class: "hint pad" }, "No headers have come.");
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
