/**
 * The connection's state at the top of the page, and what it takes to be let in.
 *
 * @module
 */
import { byId, element, setAttributes } from "./dom.ts";
import { formatMs, toVisible } from "./format.ts";
import { CLOSE_HELP, findHelp, REFUSAL_HELP } from "./help.ts";
import type { Session, SessionState } from "./session.ts";

/** The state at the top of the page. */
export interface AccessView {
  refresh(): void;
}

const STATE_TEXTS: Readonly<Record<SessionState["type"], string>> = {
  off: "Disconnected",
  connecting: "Connecting",
  open: "Connected",
  waiting: "Trying again",
  refused: "Refused",
  failed: "Closed",
};

/** Brings the state and the token's field to life. */
export function createAccessView({ session }: { readonly session: Session }): AccessView {
  const status = byId("status", HTMLButtonElement);
  const text = byId("status-text", HTMLElement);
  const identity = byId("identity", HTMLElement);
  const access = byId("access", HTMLElement);
  const verdict = byId("verdict", HTMLElement);
  const token = byId("token", HTMLInputElement);
  const forget = byId("token-forget", HTMLButtonElement);
  const disconnect = byId("disconnect", HTMLButtonElement);
  let shown = "";
  /** The reader has asked for a connection, and is told by the page that there is one. */
  let isAwaited = false;

  function open(isOpen: boolean): void {
    access.hidden = !isOpen;
    setAttributes(status, { "aria-expanded": String(isOpen) });
  }

  function connect(): void {
    // An empty field keeps the token that is there: it is not shown again.
    session.connect(token.value.trim() || undefined);
    token.value = "";
    isAwaited = true;
  }

  status.addEventListener("click", () => {
    open(access.hidden === true);
    if (!access.hidden) token.focus();
  });
  byId("token-connect", HTMLElement).addEventListener("click", connect);
  token.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) connect();
  });
  access.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    open(false);
    status.focus();
  });
  forget.addEventListener("click", () => session.connect(""));
  disconnect.addEventListener("click", () => session.disconnect());

  function drawVerdict(): void {
    const lines = explain(session);
    const key = lines.join("\n");
    if (key === shown) return; // an alert that is written again is read out again
    shown = key;
    const [title = "", ...rest] = lines;
    verdict.replaceChildren(
      ...(lines.length === 0 ? [] : [element("strong", {}, title)]),
      ...rest.map((line) => element("p", {}, line)),
    );
    if (lines.length === 0) return;
    open(true);
    if (document.activeElement === document.body) token.focus();
  }

  function closeWhenDone(): void {
    if (session.hello === undefined || shown !== "") return;
    const hasFocus = access.contains(document.activeElement);
    if (hasFocus && !isAwaited) return;
    open(false);
    if (hasFocus) status.focus();
    isAwaited = false;
  }

  return {
    refresh(): void {
      const { state, hello, hasToken } = session;
      text.textContent = toStatus(state);
      setAttributes(status, { "data-state": state.type });
      identity.textContent = hello === undefined || hello.identity === null
        ? ""
        : `as ${toVisible(hello.identity, 60)}${toExpiry(hello.expiresAt)}`;
      forget.hidden = !hasToken;
      disconnect.hidden = state.type === "off" || state.type === "refused" ||
        state.type === "failed";
      setAttributes(token, {
        placeholder: hasToken
          ? "in use; enter another to replace it"
          : "if the service asks for one",
      });
      drawVerdict();
      closeWhenDone();
    },
  };
}

function toStatus(state: SessionState): string {
  if (state.type === "waiting") return `${STATE_TEXTS.waiting} in ${formatMs(state.delayMs)}`;
  return state.type === "failed"
    ? `${STATE_TEXTS.failed} (${state.code})`
    : STATE_TEXTS[state.type];
}

function toExpiry(expiresAt: string | null): string {
  if (expiresAt === null) return "";
  const leftMs = Date.parse(expiresAt) - Date.now();
  return leftMs > 0 ? `, for ${formatMs(leftMs)}` : ", expired";
}

/** Gives a title and what to do, nothing when all is well. */
function explain({ state, verdict, hasToken }: Session): readonly string[] {
  if (state.type === "failed") {
    return [
      `The service closed the connection: ${toVisible(state.reason, 300)}`,
      findHelp(CLOSE_HELP, state.code) ?? "",
    ];
  }
  if (verdict === undefined) return [];
  if (verdict.type === "unreachable") {
    return [
      "The service cannot be reached",
      "Check that it runs and that you are online. The page tries again by itself.",
    ];
  }
  if (verdict.type === "admitted") {
    return [
      "The service would let this page in, but the WebSocket did not open",
      "A proxy or firewall in between seems not to pass WebSockets on: it has to pass the headers Upgrade and Connection to /ws. The page tries again by itself.",
    ];
  }
  const help = REFUSAL_HELP[verdict.code].replace("{origin}", location.origin);
  const title = verdict.code === "unauthorized"
    ? hasToken ? "The token does not count" : "A token is needed"
    : `${verdict.code}: ${toVisible(verdict.message, 300)}`;
  return [
    title,
    ...(verdict.code === "unauthorized" && hasToken ? [toVisible(verdict.message, 300)] : []),
    help,
  ];
}
