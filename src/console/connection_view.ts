/**
 * The panel of the connection: state, identity, limits, credit and log.
 *
 * @module
 */
import { definitions, element } from "./dom.ts";
import { type ExchangeStore, isOver, type ShownExchange } from "./exchange_store.ts";
import { formatBytes, formatClock, formatCount, formatMs, toVisible } from "./format.ts";
import type { Session, SessionEvent } from "./session.ts";

/** The panel of the connection. */
export interface ConnectionView {
  refresh(): void;
  add(event: SessionEvent): void;
}

const MAX_EVENTS = 200;
const MAX_ROWS = 50;

/** Creates the view inside a panel. */
export function createConnectionView(
  panel: HTMLElement,
  { session, store }: { readonly session: Session; readonly store: ExchangeStore },
): ConnectionView {
  const now = element("div", { class: "facts" });
  const limits = element("div", { class: "facts" });
  const credit = element("tbody");
  const creditTable = element(
    "table",
    {},
    element("caption", {}, "Credit of exchanges in flight"),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        ...["Id", "URL", "Received", "The service may send", "Sent", "This page may send"].map((
          text,
        ) => element("th", { scope: "col" }, text)),
      ),
    ),
    credit,
  );
  const log = element("ol", { class: "events" });
  let reconnects = -1;
  panel.append(
    element("section", {}, element("h3", {}, "Now"), now),
    element("section", {}, element("h3", {}, "Limits"), limits),
    element("section", {}, element("h3", {}, "Log"), log),
    element("section", { class: "wide" }, creditTable),
  );

  function drawNow(): void {
    const { hello, state } = session;
    now.replaceChildren(definitions([
      ["State", state.type],
      ["In flight", formatCount(store.inFlight)],
      ["Buffered", formatBytes(session.bufferedBytes)],
      ["Server", toVisible(hello?.server ?? "–")],
      ["Connection", toVisible(hello?.connection ?? "–")],
      [
        "Identity",
        hello === undefined
          ? "–"
          : toVisible(hello.identity ?? "none; the service requires no credential"),
      ],
      [
        "Credential until",
        hello === undefined ? "–" : toVisible(hello.expiresAt ?? "no expiry"),
      ],
      ["Upstreams", toVisible(hello?.upstreams.join(", ") || "–")],
      ["Reconnects", formatCount(Math.max(0, reconnects))],
    ]));
  }

  function drawLimits(): void {
    const entries = Object.entries(session.hello?.limits ?? {});
    limits.replaceChildren(
      entries.length === 0
        ? element("p", { class: "hint" }, "Available when the connection is open.")
        : definitions(entries.map(([name, value]) => [name, formatLimit(name, Number(value))])),
    );
  }

  function drawCredit(): void {
    const rows = store.exchanges.filter((exchange) =>
      !isOver(exchange) && exchange.creditMeter !== undefined
    );
    creditTable.hidden = rows.length === 0;
    credit.replaceChildren(...rows.slice(-MAX_ROWS).map(toCreditRow));
  }

  return {
    refresh(): void {
      drawNow();
      drawLimits();
      drawCredit();
    },
    add({ connection, type, text }): void {
      if (type === "greeted") reconnects++;
      log.prepend(
        element(
          "li",
          {},
          element("time", {}, formatClock(Date.now())),
          ` connection ${connection} ${type}: ${toVisible(text, 300)}`,
        ),
      );
      while (log.childElementCount > MAX_EVENTS) log.lastElementChild?.remove();
    },
  };
}

function toCreditRow({ id, target, creditMeter }: ShownExchange): HTMLElement {
  const credit = (bytes: number | undefined): string =>
    bytes === undefined ? "unlimited" : formatBytes(bytes);
  const upload = creditMeter?.upload;
  const cells = [
    String(id ?? ""),
    toVisible(target, 80),
    formatBytes(creditMeter?.download.movedBytes ?? 0),
    credit(creditMeter?.download.creditBytes),
    upload === undefined ? "–" : formatBytes(upload.movedBytes),
    upload === undefined ? "–" : credit(upload.creditBytes),
  ];
  return element("tr", {}, ...cells.map((text) => element("td", {}, text)));
}

function formatLimit(name: string, value: number): string {
  if (name === "bytesPerMinute" || name.endsWith("Bytes")) return formatBytes(value);
  return name.endsWith("Ms") ? formatMs(value) : formatCount(value);
}
