/**
 * The line above a response: status, time, size and progress.
 *
 * @module
 */
import { element } from "./dom.ts";
import { describeOutcome, type ShownExchange, toneOf } from "./exchange_store.ts";
import { formatBytes, formatMs, toVisible } from "./format.ts";

/** Shows the current state of an exchange in an element. */
export function drawSummary(box: HTMLElement, exchange: ShownExchange, now: number): void {
  const { draft, target, head, receivedSize, moments, phase, rate, events } = exchange;
  const status = head === undefined
    ? describeOutcome(exchange)
    : `${head.status} ${head.statusText}`.trim();
  const tone = toneOf(exchange);
  const isLive = phase === "receiving" && !exchange.isPaused;
  const facts = [
    formatMs((moments.end ?? now) - moments.start),
    formatBytes(receivedSize),
    ...(events.length > 0 ? [`${events.length} ${draft.mode}`] : []),
    ...(isLive ? [`${formatBytes(rate.read(now))}/s`] : []),
    ...(exchange.isPaused ? ["paused"] : []),
    ...(phase === "cancelled" ? ["cancelled"] : []),
    ...(head?.redirected ? ["redirected"] : []),
  ];
  box.replaceChildren(
    element("span", { class: `pill ${tone}`, id: "response-status" }, toVisible(status, 80)),
    element("span", { class: "facts-line" }, facts.join(" · ")),
    element(
      "span",
      { class: "response-url", title: toVisible(target) },
      `${toVisible(draft.method, 20)} ${toVisible(target, 300)}`,
    ),
  );
}
