/**
 * Shows the body of a response while it arrives and in each possible view when it is complete.
 *
 * @module
 */
import { classifyBody, headerValue, type ViewKind } from "./body_class.ts";
import { button, element } from "./dom.ts";
import { createEventsView, type LiveView } from "./events_view.ts";
import { headersOf, isOver, type ShownExchange } from "./exchange_store.ts";
import { formatBytes } from "./format.ts";
import { findJsonProblem } from "./json_layout.ts";
import { readJson } from "./json_text.ts";
import { createJsonView } from "./json_view.ts";
import { createGrowingText, createHexView, createTextView } from "./text_view.ts";

const NAMES = { json: "JSON", text: "Text", image: "Image", hex: "Hex" } as const;
// Types that are shown as text while the body arrives.
const TEXT_TYPE = /^(?:text\/|application\/(?:[^;]*\+)?(?:json|xml|x-ndjson|javascript|yaml)|$)/i;

/** Creates a view of the body of an exchange. */
export function createBodyView(exchange: ShownExchange): LiveView {
  const box = element("div", { class: "stack body-view" });
  let stage = "";
  let live: (() => void) | undefined;

  function show(view: LiveView): void {
    box.replaceChildren(view.element);
    live = view.refresh;
  }

  function note(text: string): void {
    live = undefined;
    box.replaceChildren(element("p", { class: "hint pad" }, text));
  }

  function enter(next: string): void {
    if (next === "events") show(createEventsView(exchange));
    else if (next === "live") show(createLiveBody(exchange));
    else if (next === "complete") {
      show({ element: createCompleteBody(exchange), refresh(): void {} });
    } else note(describeMissingBody(exchange));
  }

  return {
    element: box,
    refresh(): void {
      const next = toStage(exchange);
      if (next !== stage) enter(next);
      stage = next;
      live?.();
    },
  };
}

function toStage(exchange: ShownExchange): string {
  const { phase, body, head, events, draft } = exchange;
  const isEvents = draft.mode === "events" || draft.mode === "lines";
  if (events.length > 0 || (isEvents && phase === "receiving" && body === undefined)) {
    return "events";
  }
  if (body !== undefined && body.bytes > 0) return isOver(exchange) ? "complete" : "live";
  return `${phase} ${head === undefined}`;
}

function describeMissingBody({ phase, head, isPaused }: ShownExchange): string {
  if (phase === "queued") return "Waiting for the connection.";
  if (phase === "waiting") return "Waiting for the response.";
  if (phase === "receiving") return isPaused ? "Paused." : "Waiting for the body.";
  if (head === undefined) return "No response arrived.";
  return phase === "done" ? "The response has no body." : "No part of the body arrived.";
}

function createLiveBody(exchange: ShownExchange): LiveView {
  const type = headerValue(headersOf(exchange), "content-type");
  if (!TEXT_TYPE.test(type)) {
    const progress = element("p", { class: "hint pad" });
    return {
      element: progress,
      refresh: () => void (progress.textContent = `${formatBytes(exchange.receivedSize)} so far.`),
    };
  }
  const text = createGrowingText();
  const decoder = new TextDecoder();
  let offset = 0;
  return {
    element: text.element,
    refresh(): void {
      const bytes = exchange.body?.readFrom(offset) ?? new Uint8Array();
      if (bytes.byteLength === 0) return;
      offset += bytes.byteLength;
      text.append(decoder.decode(bytes, { stream: true }));
    },
  };
}

function createCompleteBody(exchange: ShownExchange): HTMLElement {
  const { body } = exchange;
  const bytes = body?.read() ?? new Uint8Array();
  if (body === undefined || bytes.byteLength === 0) {
    return element(
      "p",
      { class: "hint pad" },
      "The body was removed to save memory. Send the request again to see it.",
    );
  }
  const type = headerValue(headersOf(exchange), "content-type");
  const { views, text } = classifyBody(type, bytes);
  const content = element("div", { class: "stack" });
  const makers: Readonly<Record<ViewKind, () => HTMLElement>> = {
    json: () => createJson(text ?? ""),
    text: () => createTextView(text ?? ""),
    image: () => createImage(bytes, type),
    hex: () => createHexView(bytes),
  };
  const draw = (kind: ViewKind): void => content.replaceChildren(makers[kind]());
  const name = `view-${exchange.key}`;
  const choice = element(
    "fieldset",
    { class: "segments" },
    element("legend", { class: "hidden" }, "View"),
    ...views.map((kind, index) => {
      const input = element("input", { type: "radio", name, value: kind, checked: index === 0 });
      input.addEventListener("input", () => draw(kind));
      return element("label", {}, input, element("span", {}, NAMES[kind]));
    }),
  );
  draw(views[0]);
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(text ?? "");
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "Not allowed";
    }
    setTimeout(() => copy.textContent = "Copy", 2000);
  });
  copy.hidden = text === undefined;
  const cut = body.isCut
    ? `The first ${formatBytes(bytes.byteLength)} of ${formatBytes(body.bytes)}`
    : "";
  return element(
    "div",
    { class: "stack" },
    element(
      "div",
      { class: "toolbar" },
      choice,
      element("span", { class: "hint" }, cut),
      element(
        "span",
        { class: "actions" },
        copy,
        button("Download", () => download(bytes, exchange)),
      ),
    ),
    content,
  );
}

function createJson(text: string): HTMLElement {
  const json = readJson(text);
  if (json.type === "json") return createJsonView(json);
  const note = json.type === "too_long"
    ? "The JSON has too many lines to be folded; here is the text."
    : `Not valid JSON. ${findJsonProblem(text) ?? ""}`;
  return element(
    "div",
    { class: "stack" },
    element("p", { class: "problem pad" }, note),
    createTextView(text),
  );
}

function createImage(bytes: Uint8Array<ArrayBuffer>, type: string): HTMLElement {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  const size = element("figcaption", { class: "hint" });
  const image = element("img", { src: url, alt: "Image of the response" });
  image.addEventListener("load", () => {
    size.textContent = `${image.naturalWidth} × ${image.naturalHeight}, ${
      formatBytes(bytes.byteLength)
    }`;
    URL.revokeObjectURL(url);
  });
  image.addEventListener("error", () => {
    size.textContent = "The browser cannot show this image; choose Hex to see its bytes";
    URL.revokeObjectURL(url);
  });
  return element("figure", { class: "preview" }, image, size);
}

function download(bytes: Uint8Array<ArrayBuffer>, { head, target }: ShownExchange): void {
  const [path = ""] = (head?.url ?? target).split(/[?#]/);
  const name = path.split("/").at(-1) || "response";
  // A type that browsers do not open in the origin of this page.
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
