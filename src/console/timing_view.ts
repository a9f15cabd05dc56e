/**
 * Where the time went: as a bar, and in numbers.
 *
 * @module
 */
import { definitions, element } from "./dom.ts";
import type { ExchangeRecord } from "./exchanges.ts";
import { formatBytes, formatMs, toVisible } from "./format.ts";

interface Stage {
  readonly name: "queued" | "waiting" | "receiving";
  readonly ms: number;
}

const NAMES = { queued: "queued", waiting: "wait", receiving: "transfer" } as const;

/** What the service calls the times that it measures. */
const SERVICE_NAMES: Readonly<Record<string, string>> = {
  queueMs: "Queued in the service",
  dnsMs: "Name resolution",
  waitMs: "To the response head",
  transferMs: "Transfer of the body",
  totalMs: "To the response frame",
};

/** Shows the time of an exchange as a bar; what has not happened yet goes on until now. */
export function createTimingBar(record: ExchangeRecord, now: number): HTMLElement {
  const stages = toStages(record, now);
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

/** Shows everything that is known about the time, the place and the credit of an exchange. */
export function createTimingTable(
  record: ExchangeRecord,
  { now, requestId }: { readonly now: number; readonly requestId: string | undefined },
): HTMLElement {
  const { timing, flow, connection, id, head, startedAt } = record;
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
      element("h3", {}, "By the clock of this page"),
      definitions(toStages(record, now).map(({ name, ms }) => [NAMES[name], formatMs(ms)])),
    ),
    element(
      "section",
      {},
      element("h3", {}, "By the clock of the service"),
      service.length === 0
        ? element("p", { class: "hint" }, "Comes with the response.")
        : definitions(service),
    ),
    element(
      "section",
      {},
      element("h3", {}, "Place"),
      definitions([
        ["Begun", new Date(startedAt).toLocaleTimeString()],
        ["Connection", connection === undefined ? "–" : String(connection)],
        ["Id", id === undefined ? "–" : String(id)],
        ...(requestId === undefined ? [] : [["Request id", toVisible(requestId, 100)] as const]),
        ...(head?.redirected ? [["Redirected to", toVisible(head.url, 300)] as const] : []),
      ]),
    ),
    ...(flow === undefined ? [] : [element(
      "section",
      {},
      element("h3", {}, "Credit"),
      definitions([
        ["Received in chunks", formatBytes(flow.download.movedBytes)],
        ["Granted behind the first window", formatBytes(flow.download.grantedBytes)],
        ["The service may still send", credit(flow.download.creditBytes)],
        ...(flow.upload === undefined ? [] : [
          ["Sent in chunks", formatBytes(flow.upload.movedBytes)] as const,
          ["This page may still send", credit(flow.upload.creditBytes)] as const,
        ]),
      ]),
    )]),
  );
}

function toStages({ moments }: ExchangeRecord, now: number): readonly Stage[] {
  const { start, sent, head, end = now } = moments;
  return [
    { name: "queued", ms: (sent ?? end) - start },
    ...(sent === undefined ? [] : [{ name: "waiting" as const, ms: (head ?? end) - sent }]),
    ...(head === undefined ? [] : [{ name: "receiving" as const, ms: end - head }]),
  ];
}
