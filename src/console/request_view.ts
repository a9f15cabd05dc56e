/**
 * The request editor.
 *
 * @module
 */
import { byId, element, setAttributes } from "./dom.ts";
import {
  BODY_KINDS,
  type BodyKind,
  defaultContentType,
  DELIVERY_MODES,
  type Draft,
  EMPTY_DRAFT,
  findFieldProblems,
  REDIRECT_MODES,
} from "./draft.ts";
import { inputOf, showFieldProblems } from "./field_problems_view.ts";
import { formatBytes } from "./format.ts";
import { createHeaderRows } from "./header_rows.ts";
import { findJsonProblem, toPretty } from "./json_layout.ts";
import { readJson } from "./json_text.ts";
import { createTabs } from "./tabs.ts";

/** The request editor. */
export interface RequestView {
  /** The request as it is on the page. */
  readonly draft: Draft;
  /** The selected file. */
  readonly file: File | undefined;
  /** How often the request is sent at once. */
  readonly times: number;
  /** Replaces the request on the page. */
  load(draft: Draft): void;
  /** Shows the problems of the request and focuses the first one. Returns whether there are none. */
  check(): boolean;
  setUpstreams(names: readonly string[]): void;
}

const MAX_TIMES = 1000;

/** Creates the editor on the elements of the page. */
export function createRequestView({ edited }: { edited(): void }): RequestView {
  const method = byId("method", HTMLSelectElement);
  const otherMethod = byId("method-other", HTMLInputElement);
  const upstream = byId("upstream", HTMLSelectElement);
  const url = byId("url", HTMLInputElement);
  const mode = byId("mode", HTMLSelectElement);
  const redirect = byId("redirect", HTMLSelectElement);
  const timeout = byId("timeout", HTMLInputElement);
  const times = byId("times", HTMLInputElement);
  const bodyText = byId("body-text", HTMLTextAreaElement);
  const bodyFile = byId("body-file", HTMLInputElement);
  const kinds = [...document.querySelectorAll<HTMLInputElement>('input[name="body-kind"]')];
  const rows = createHeaderRows(byId("header-rows", HTMLElement), { edited: update });
  const tabs = createTabs(byId("request-tabs", HTMLElement));

  const fileOf = (): File | undefined => bodyFile.files?.[0];
  const bodyKind = (): BodyKind =>
    BODY_KINDS.find((kind) => kinds.some(({ checked, value }) => checked && value === kind)) ??
      "none";

  function read(): Draft {
    const timeoutText = timeout.value.trim();
    return {
      method: (method.value === "" ? otherMethod.value.trim() : method.value).toUpperCase(),
      upstream: upstream.value,
      url: url.value.trim(),
      headers: rows.pairs,
      bodyKind: bodyKind(),
      bodyText: bodyText.value,
      timeoutMs: timeoutText === "" ? null : Number(timeoutText),
      mode: DELIVERY_MODES.find((name) => name === mode.value) ?? EMPTY_DRAFT.mode,
      redirect: REDIRECT_MODES.find((name) => name === redirect.value) ?? EMPTY_DRAFT.redirect,
    };
  }

  /** Updates the page after a change. */
  function update(): void {
    const draft = read();
    const kind = draft.bodyKind;
    const type = defaultContentType(draft, fileOf()?.type);
    otherMethod.hidden = method.value !== "";
    bodyText.hidden = kind !== "json" && kind !== "text";
    byId("file-label", HTMLElement).hidden = kind !== "file";
    byId("format-body", HTMLElement).hidden = kind !== "json";
    byId("header-count", HTMLElement).textContent = draft.headers.length === 0
      ? ""
      : String(draft.headers.length);
    byId("body-mark", HTMLElement).textContent = kind === "none" ? "" : kind;
    byId("content-type-hint", HTMLElement).textContent = type === undefined
      ? ""
      : `content-type: ${type} is added`;
    setAttributes(url, {
      "aria-label": draft.upstream === "" ? "URL" : `Path below ${draft.upstream}`,
      placeholder: draft.upstream === "" ? "https://api.example.com/items" : "/path?query",
    });
    showFieldProblems([]);
    checkBody(draft);
    edited();
  }

  /** Shows the size of a file, and the first error of JSON while it is being edited. */
  function checkBody({ bodyKind: kind, bodyText: text }: Draft): void {
    const target = byId("body-problem", HTMLElement);
    const problem = kind === "json" && text !== "" ? findJsonProblem(text) : undefined;
    const file = kind === "file" ? fileOf() : undefined;
    const note = file !== undefined
      ? formatBytes(file.size)
      : kind === "json" && text !== "" && problem === undefined
      ? "Valid JSON"
      : "";
    target.hidden = problem === undefined && note === "";
    target.textContent = problem ?? note;
    setAttributes(target, { "data-valid": problem === undefined });
    setAttributes(bodyText, { "aria-invalid": problem === undefined ? undefined : "true" });
  }

  for (
    const input of [
      method,
      otherMethod,
      upstream,
      url,
      mode,
      redirect,
      timeout,
      bodyText,
      bodyFile,
      ...kinds,
    ]
  ) {
    input.addEventListener("input", update);
  }
  method.addEventListener("change", () => {
    if (method.value === "") otherMethod.focus();
  });
  byId("add-header", HTMLElement).addEventListener("click", () => rows.add());
  byId("format-body", HTMLElement).addEventListener("click", () => {
    const json = readJson(bodyText.value, Infinity);
    if (json.type === "json") bodyText.value = toPretty(json);
    update();
  });

  return {
    get draft(): Draft {
      return read();
    },
    get file(): File | undefined {
      return fileOf();
    },
    get times(): number {
      const count = Math.floor(Number(times.value));
      return Math.min(MAX_TIMES, Math.max(1, count || 1));
    },
    load(draft): void {
      const isListed = [...method.options].some(({ value }) => value === draft.method);
      method.value = isListed ? draft.method : "";
      otherMethod.value = isListed ? "" : draft.method;
      if (![...upstream.options].some(({ value }) => value === draft.upstream)) {
        upstream.append(element("option", { value: draft.upstream }, draft.upstream));
      }
      upstream.value = draft.upstream;
      upstream.hidden = upstream.options.length < 2;
      url.value = draft.url;
      rows.load(draft.headers);
      for (const input of kinds) input.checked = input.value === draft.bodyKind;
      bodyText.value = draft.bodyText;
      timeout.value = draft.timeoutMs === null ? "" : String(draft.timeoutMs);
      mode.value = draft.mode;
      redirect.value = draft.redirect;
      tabs.show(draft.bodyKind === "none" ? "panel-headers" : "panel-body");
      update();
    },
    check(): boolean {
      const problems = findFieldProblems(read(), fileOf() !== undefined);
      showFieldProblems(problems);
      const [first] = problems;
      if (first === undefined) return true;
      if (first.field === "body") tabs.show("panel-body");
      if (first.field === "headers") {
        tabs.show("panel-headers");
        rows.focus();
      } else if (first.field === "body" && bodyText.hidden) {
        kinds.find(({ checked }) => checked)?.focus();
      } else inputOf(first).focus();
      return false;
    },
    setUpstreams(names): void {
      const chosen = upstream.value;
      const all = chosen === "" || names.includes(chosen) ? names : [...names, chosen];
      upstream.replaceChildren(
        element("option", { value: "" }, "URL"),
        ...all.map((name) => element("option", { value: name }, name)),
      );
      upstream.value = chosen;
      upstream.hidden = all.length === 0;
    },
  };
}
