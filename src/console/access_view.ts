/**
 * The connection state at the top of the page, and the form for the token.
 *
 * @module
 */
import { byId, element, setAttributes } from "./dom.ts";
import { formatMs, toVisible } from "./format.ts";
import { CLOSE_HELP, findHelp, REFUSAL_HELP } from "./help.ts";
import type { Session, SessionState } from "./session.ts";

/** The connection state and the token form. */
export interface AccessView {
  refresh(): void;
}

const STATE_TEXTS: Readonly<Record<SessionState["type"], string>> = {
  off: "Disconnected",
  connecting: "Connecting",
  open: "Connected",
  waiting: "Reconnecting",
  refused: "Refused",
  failed: "Closed",
};

/** Creates the view on the elements of the page. */
export function createAccessView({ session }: { readonly session: Session }): AccessView {
  const status = byId("status", HTMLButtonElement);
  const text = byId("status-text", HTMLElement);
  const identity = byId("identity", HTMLElement);
  const access = byId("access", HTMLElement);
  const accessMessage = byId("access-message", HTMLElement);
  const token = byId("token", HTMLInputElement);
  const forget = byId("token-forget", HTMLButtonElement);
  const disconnect = byId("disconnect", HTMLButtonElement);
  let shown = "";
  /** The user has asked for a connection; the form closes when it is open. */
  let isRequested = false;

  function open(isOpen: boolean): void {
    access.hidden = !isOpen;
    setAttributes(status, { "aria-expanded": String(isOpen) });
  }

  function connect(): void {
    // An empty field keeps the current token, which is never shown.
    session.connect(token.value.trim() || undefined);
    token.value = "";
    isRequested = true;
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

  function drawMessage(): void {
    const lines = explain(session);
    const key = lines.join("\n");
    if (key === shown) return; // screen readers repeat an alert that is written again
    shown = key;
    const [title = "", ...rest] = lines;
    accessMessage.replaceChildren(
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
    if (hasFocus && !isRequested) return;
    open(false);
    if (hasFocus) status.focus();
    isRequested = false;
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
          ? "in use; enter another token to replace it"
          : "if the service requires one",
      });
      drawMessage();
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

/** Returns a title and what to do; an empty list if there is no problem. */
function explain({ state, handshakeOutcome: outcome, hasToken }: Session): readonly string[] {
  if (state.type === "failed") {
    return [
      `The service closed the connection: ${toVisible(state.reason, 300)}`,
      findHelp(CLOSE_HELP, state.code) ?? "",
    ];
  }
  if (outcome === undefined) return [];
  if (outcome.type === "unreachable") {
    return [
      "The service cannot be reached",
      "Check that it is running and that you are online. The page reconnects by itself.",
    ];
  }
  if (outcome.type === "admitted") {
    return [
      "The service accepts this page, but the WebSocket did not open",
      "A proxy or firewall probably blocks WebSockets. It must forward the headers Upgrade and Connection for /ws. The page reconnects by itself.",
    ];
  }
  const help = REFUSAL_HELP[outcome.code].replace("{origin}", location.origin);
  const title = outcome.code === "unauthorized"
    ? hasToken ? "The token is not valid" : "A token is required"
    : `${outcome.code}: ${toVisible(outcome.message, 300)}`;
  return [
    title,
    ...(outcome.code === "unauthorized" && hasToken ? [toVisible(outcome.message, 300)] : []),
    help,
  ];
}
