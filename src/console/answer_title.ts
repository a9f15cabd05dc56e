/**
 * The line above an answer: status, time, size, and what is going on.
 *
 * @module
 */
import { element } from "./dom.ts";
import { describeOutcome, type ExchangeRecord } from "./exchanges.ts";
import { formatBytes, formatMs, toVisible } from "./format.ts";

/** Fills an element with the state of an exchange as it is now. */
export function drawTitle(title: HTMLElement, record: ExchangeRecord, now: number): void {
  const { draft, target, head, receivedSize, moments, phase, failure, rate, events } = record;
  const status = head === undefined
    ? describeOutcome(record)
    : `${head.status} ${head.statusText}`.trim();
  const tone = failure !== undefined
    ? "bad"
    : head === undefined
    ? "idle"
    : head.status >= 400
    ? "warn"
    : "good";
  const isLive = phase === "receiving" && !record.isPaused;
  const facts = [
    formatMs((moments.end ?? now) - moments.start),
    formatBytes(receivedSize),
    ...(events.length > 0 ? [`${events.length} ${draft.mode}`] : []),
    ...(isLive ? [`${formatBytes(rate.read(now))}/s`] : []),
    ...(record.isPaused ? ["paused"] : []),
    ...(phase === "cancelled" ? ["cancelled"] : []),
    ...(head?.redirected ? ["redirected"] : []),
  ];
  title.replaceChildren(
    element("span", { class: `pill ${tone}`, id: "answer-status" }, toVisible(status, 80)),
    element("span", { class: "facts-line" }, facts.join(" · ")),
    element(
      "span",
      { class: "answer-url", title: toVisible(target) },
      `${toVisible(draft.method, 20)} ${toVisible(target, 300)}`,
    ),
  );
}
