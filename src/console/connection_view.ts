/**
 * The connection: who one is, what the limits are, what waits, what has happened.
 *
 * @module
 */
import { definitions, element } from "./dom.ts";
import { type ExchangeRecord, type Exchanges, isOver } from "./exchanges.ts";
import { formatBytes, formatClock, formatCount, formatMs, toVisible } from "./format.ts";
import type { Session, SessionEvent } from "./session.ts";

/** The connection's panel. */
export interface ConnectionView {
  refresh(): void;
  add(event: SessionEvent): void;
}

const MAX_EVENTS = 200;
const MAX_ROWS = 50;

/** Fills a panel with the connection. */
export function createConnectionView(
  panel: HTMLElement,
  { session, exchanges }: { readonly session: Session; readonly exchanges: Exchanges },
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
    element("section", {}, element("h3", {}, "What happened"), log),
    element("section", { class: "wide" }, creditTable),
  );

  function drawNow(): void {
    const { hello, state } = session;
    now.replaceChildren(definitions([
      ["State", state.type],
      ["In flight", formatCount(exchanges.inFlight)],
      ["Buffered", formatBytes(session.bufferedBytes)],
      ["Server", toVisible(hello?.server ?? "–")],
      ["Connection", toVisible(hello?.connection ?? "–")],
      [
        "Identity",
        hello === undefined ? "–" : toVisible(hello.identity ?? "nobody is asked for a credential"),
      ],
      [
        "Credential until",
        hello === undefined ? "–" : toVisible(hello.expiresAt ?? "it does not expire"),
      ],
      ["Upstreams", toVisible(hello?.upstreams.join(", ") || "–")],
      ["Reconnects", formatCount(Math.max(0, reconnects))],
    ]));
  }

  function drawLimits(): void {
    const entries = Object.entries(session.hello?.limits ?? {});
    limits.replaceChildren(
      entries.length === 0
        ? element("p", { class: "hint" }, "Known when the connection is open.")
        : definitions(entries.map(([name, value]) => [name, formatLimit(name, Number(value))])),
    );
  }

  function drawCredit(): void {
    const rows = exchanges.records.filter((record) => !isOver(record) && record.flow !== undefined);
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

function toCreditRow({ id, target, flow }: ExchangeRecord): HTMLElement {
  const credit = (bytes: number | undefined): string =>
    bytes === undefined ? "as it likes" : formatBytes(bytes);
  const upload = flow?.upload;
  const cells = [
    String(id ?? ""),
    toVisible(target, 80),
    formatBytes(flow?.download.movedBytes ?? 0),
    credit(flow?.download.creditBytes),
    upload === undefined ? "–" : formatBytes(upload.movedBytes),
    upload === undefined ? "–" : credit(upload.creditBytes),
  ];
  return element("tr", {}, ...cells.map((text) => element("td", {}, text)));
}

function formatLimit(name: string, value: number): string {
  if (name === "bytesPerMinute" || name.endsWith("Bytes")) return formatBytes(value);
  return name.endsWith("Ms") ? formatMs(value) : formatCount(value);
}
