/**
 * The times of an exchange, as a bar and as numbers.
 *
 * @module
 */
import { definitions, element } from "./dom.ts";
import type { ShownExchange } from "./exchange_store.ts";
import { formatBytes, formatMs, toVisible } from "./format.ts";

interface Stage {
  readonly name: "queued" | "waiting" | "receiving";
  readonly ms: number;
}

const NAMES = { queued: "queued", waiting: "wait", receiving: "transfer" } as const;

/** The labels of the times that the service measures. */
const SERVICE_NAMES: Readonly<Record<string, string>> = {
  queueMs: "Queued in the service",
  dnsMs: "Name resolution",
  connectMs: "Connecting",
  tlsMs: "TLS handshake",
  waitMs: "To the response head",
  transferMs: "Transfer of the body",
  totalMs: "To the response frame",
};

/** Creates the bar. The current stage extends to `now`. */
export function createTimingBar(exchange: ShownExchange, now: number): HTMLElement {
  const stages = toStages(exchange, now);
  const totalMs = stages.reduce((sum, { ms }) => sum + ms, 0) || 1;
  const bar = element("div", { class: "timing-bar", "aria-hidden": "true" });
  for (const { name, ms } of stages) {
    const part = element("span", { class: name });
    part.style.width = `${ms / totalMs * 100}%`;
    bar.append(part);
  }
  return element(
    "div",
    { class: "timing" },
    bar,
    element(
      "p",
      { class: "timing-text" },
      ...stages.map(({ name, ms }) =>
        element("span", { class: `key ${name}` }, `${NAMES[name]} ${formatMs(ms)}`)
      ),
    ),
  );
}

/** Creates the table of times, ids and credit. */
export function createTimingTable(
  exchange: ShownExchange,
  { now, requestId }: { readonly now: number; readonly requestId: string | undefined },
): HTMLElement {
  const { timing, creditMeter, connection, id, head, startedAt } = exchange;
  const service = Object.entries(timing ?? {}).flatMap(([name, value]) =>
    typeof value === "number" ? [[SERVICE_NAMES[name] ?? name, formatMs(value)] as const] : []
  );
  const credit = (bytes: number | undefined): string =>
    bytes === undefined ? "not limited" : formatBytes(bytes);
  return element(
    "div",
    { class: "facts-grid" },
    element(
      "section",
      {},
      element("h3", {}, "Measured by this page"),
      definitions(toStages(exchange, now).map(({ name, ms }) => [NAMES[name], formatMs(ms)])),
    ),
    element(
      "section",
      {},
      element("h3", {}, "Measured by the service"),
      service.length === 0
        ? element("p", { class: "hint" }, "Available when the response arrives.")
        : definitions(service),
    ),
    element(
      "section",
      {},
      element("h3", {}, "Exchange"),
      definitions([
        ["Started", new Date(startedAt).toLocaleTimeString()],
        ["Connection", connection === undefined ? "–" : String(connection)],
        ["Id", id === undefined ? "–" : String(id)],
        ...(requestId === undefined ? [] : [["Request id", toVisible(requestId, 100)] as const]),
        ...(head?.redirected ? [["Redirected to", toVisible(head.url, 300)] as const] : []),
      ]),
    ),
    ...(creditMeter === undefined ? [] : [element(
      "section",
      {},
      element("h3", {}, "Credit"),
      definitions([
        ["Received in chunks", formatBytes(creditMeter.download.movedBytes)],
        ["Granted after the first window", formatBytes(creditMeter.download.grantedBytes)],
        ["The service may still send", credit(creditMeter.download.creditBytes)],
        ...(creditMeter.upload === undefined ? [] : [
          ["Sent in chunks", formatBytes(creditMeter.upload.movedBytes)] as const,
          ["This page may still send", credit(creditMeter.upload.creditBytes)] as const,
        ]),
      ]),
    )]),
  );
}

function toStages({ moments }: ShownExchange, now: number): readonly Stage[] {
  const { start, sent, head, end = now } = moments;
  return [
    { name: "queued", ms: (sent ?? end) - start },
    ...(sent === undefined ? [] : [{ name: "waiting" as const, ms: (head ?? end) - sent }]),
    ...(head === undefined ? [] : [{ name: "receiving" as const, ms: end - head }]),
  ];
}
