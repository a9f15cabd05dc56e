/**
 * The state of a client, and the event that reports its changes.
 *
 * @module
 */

/** The state of a client. */
export type ClientState =
  /** There is no connection, and no call needs one. */
  | { readonly type: "idle" }
  /** A connection is being opened. */
  | { readonly type: "connecting" }
  /** The connection is open. */
  | { readonly type: "open" }
  /** The connection was lost or could not be opened. The client reconnects after `delayMs` milliseconds. */
  | { readonly type: "waiting"; readonly delayMs: number; readonly reason: string }
  /** The server has closed the connection with a final code: every call is rejected. */
  | { readonly type: "failed"; readonly code: number; readonly reason: string }
  /** `close()` was called: every call is rejected. */
  | { readonly type: "closed" };

/** The events of a client. */
export interface ClientEventMap {
  /** Dispatched after a change. `detail` is the new state. */
  readonly statechange: CustomEvent<ClientState>;
}

/** Holds the state of a client and dispatches its changes. */
export interface ClientStateHolder {
  readonly current: ClientState;
  /** Dispatches the events of {@linkcode ClientEventMap}. */
  readonly target: EventTarget;
  set(state: ClientState): void;
}

/** Creates a {@linkcode ClientStateHolder} whose state is `idle`. */
export function createClientState(): ClientStateHolder {
  const target = new EventTarget();
  let current: ClientState = { type: "idle" };
  return {
    get current(): ClientState {
      return current;
    },
    target,
    set(state): void {
      if (state.type === current.type && state.type !== "waiting") return;
      current = state;
      target.dispatchEvent(new CustomEvent("statechange", { detail: state }));
    },
  };
}
