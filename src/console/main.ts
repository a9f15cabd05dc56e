/**
 * The entry point of the console: creates the parts of the page and connects them.
 *
 * @module
 */
import type { WebSocketConstructor } from "../client/socket.ts";
import { platformTimers } from "../client/timers.ts";
import { createAccessView } from "./access_view.ts";
import { createResponseView } from "./response_view.ts";
import { createConnectionView } from "./connection_view.ts";
import { createDialogs } from "./dialogs.ts";
import { byId, onNextFrame } from "./dom.ts";
import { type Draft, EMPTY_DRAFT } from "./draft.ts";
import { createExchangesView } from "./exchanges_view.ts";
import { createExchangeStore } from "./exchange_store.ts";
import { createFrameLog } from "./frame_log.ts";
import { createFramesView } from "./frames_view.ts";
import { formatCount } from "./format.ts";
import { createHandshakeProbe } from "./handshake.ts";
import { createHistory } from "./history.ts";
import { createHistoryView } from "./history_view.ts";
import { createExchangeController } from "./exchange_controller.ts";
import { createRequestView } from "./request_view.ts";
import { createSession } from "./session.ts";
import { decodeShare } from "./share.ts";
import { createSplitter } from "./splitter.ts";
import { createTabs } from "./tabs.ts";

const FIRST_DRAFT: Draft = { ...EMPTY_DRAFT, url: "https://example.com/" };
/** How often times and bars are updated while exchanges are in flight, in milliseconds. */
const TICK_MS = 80;
const IDLE_TICK_MS = 1000;

const now = (): number => performance.now();
const panel = (name: string): HTMLElement => byId(`panel-${name}`, HTMLElement);
const startedAt = now();

const log = createFrameLog({ now });
const store = createExchangeStore({ now, epochMs: () => Date.now() });
const history = createHistory(findStorage());
const announcer = byId("announcer", HTMLElement);
const announce = (text: string): void => {
  announcer.textContent = text;
};
const session = createSession(new URL("ws", location.href).href.replace(/^http/, "ws"), {
  // Its events have more members than WebSocketEvent.
  WebSocket: WebSocket as WebSocketConstructor,
  timers: platformTimers,
  random: Math.random,
  probeHandshake: createHandshakeProbe(),
  frame: (...frame) => controller.frame(...frame),
  happened: (event) => connectionView.add(event),
  changed(): void {
    requestView.setUpstreams(session.hello?.upstreams ?? []);
    refresh();
  },
});
const controller = createExchangeController({
  session,
  store,
  history,
  log,
  now,
  announce,
  changed: () => refresh(),
});

const requestView = createRequestView({ edited(): void {} });
const responseView = createResponseView(byId("response-content", HTMLElement), {
  now,
  framesOf: controller.framesOf,
  cancel: controller.cancel,
  pause: controller.pause,
  sendAgain: ({ draft }) => sendDraft(draft, 1),
});
const exchangesView = createExchangesView(panel("exchanges"), {
  store,
  now,
  selected(exchange): void {
    responseView.show(exchange);
    responseView.refresh();
  },
  cancelAll: controller.cancelAll,
});
const framesView = createFramesView(panel("frames"), { log, since: startedAt });
const historyView = createHistoryView(panel("history"), {
  history,
  chosen(draft): void {
    requestView.load(draft);
    byId("url", HTMLInputElement).focus();
  },
});
const connectionView = createConnectionView(panel("connection"), { session, store });
const accessView = createAccessView({ session });
const dialogs = createDialogs({ announce });
// Deferred: the first call precedes the definition of refresh().
const tabs = createTabs(byId("activity-tabs", HTMLElement), () => queueMicrotask(() => refresh()));

const refresh = onNextFrame((): void => {
  accessView.refresh();
  responseView.refresh();
  const { inFlight, exchanges } = store;
  byId("exchange-count", HTMLElement).textContent = inFlight > 0
    ? `${formatCount(exchanges.length)}, ${formatCount(inFlight)} in flight`
    : formatCount(exchanges.length);
  byId("frame-count", HTMLElement).textContent = formatCount(log.frames.length);
  if (tabs.current === "panel-exchanges") exchangesView.refresh();
  else if (tabs.current === "panel-frames") framesView.refresh();
  else if (tabs.current === "panel-history") historyView.refresh();
  else connectionView.refresh();
});

function tick(): void {
  const isMoving = store.inFlight > 0;
  if (isMoving || tabs.current === "panel-connection" || session.hello?.expiresAt) refresh();
  setTimeout(tick, isMoving ? TICK_MS : IDLE_TICK_MS);
}

function sendDraft(draft: Draft, times: number): void {
  const first = controller.send(draft, { file: requestView.file, times });
  responseView.show(first);
  exchangesView.show(first);
  refresh();
}

function sendEdited(): void {
  if (requestView.check()) sendDraft(requestView.draft, requestView.times);
}

function openLink(): void {
  const shared = decodeShare(location.hash);
  if (shared === undefined) return;
  requestView.load(shared);
  // A link may come from anyone, so the request is not sent automatically. A reload must not load it again.
  const notice = byId("link-notice", HTMLElement);
  notice.textContent = "This request was loaded from the link. Check it before you send it.";
  notice.hidden = false;
  globalThis.history.replaceState(null, "", location.pathname);
}

function findStorage(): Storage | undefined {
  let storage: Storage | undefined;
  try {
    storage = globalThis.localStorage;
  } catch {
    // The browser does not allow storage.
  }
  return storage;
}

byId("send", HTMLElement).addEventListener("click", sendEdited);
byId("url", HTMLElement).addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) sendEdited();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  if (document.querySelector("dialog[open]") !== null) return;
  event.preventDefault();
  sendEdited();
});
byId("copy-as", HTMLElement).addEventListener("click", () => {
  dialogs.copyAs(requestView.draft, {
    origin: location.origin,
    needsToken: session.hasToken,
    fileName: requestView.file?.name,
  });
});
byId("share", HTMLElement).addEventListener(
  "click",
  () => dialogs.share(requestView.draft, session.secrets),
);
globalThis.addEventListener("hashchange", openLink);

const layout = byId("layout", HTMLElement);
createSplitter(byId("split-columns", HTMLElement), layout, {
  property: "--left",
  min: 25,
  max: 75,
  initial: 46,
});
createSplitter(byId("split-rows", HTMLElement), layout, {
  property: "--bottom",
  min: 15,
  max: 75,
  initial: 38,
  isReversed: true,
});
requestView.load(FIRST_DRAFT);
openLink();
// Not on touch screens, whose keyboard would cover the page.
if (matchMedia("(pointer: fine)").matches && document.activeElement === document.body) {
  byId("url", HTMLInputElement).select();
}
session.connect();
tick();
