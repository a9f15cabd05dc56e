/**
 * What a client is doing, and the events that tell of it.
 *
 * @module
 */

/** What a client is doing. */
export type ClientState =
  /** There is no connection, and none is needed. */
  | { readonly type: "idle" }
  /** A connection is being opened. */
  | { readonly type: "connecting" }
  | { readonly type: "open" }
  /** The connection was lost, or could not be opened; in so many milliseconds it is opened again. */
  | { readonly type: "waiting"; readonly delayMs: number; readonly reason: string }
  /** The server has closed the connection for good: every call is rejected. */
  | { readonly type: "failed"; readonly code: number; readonly reason: string }
  /** `close()` was called. */
  | { readonly type: "closed" };

/** The events of a client. */
export interface ClientEventMap {
  /** `detail` is the new state. */
  readonly statechange: CustomEvent<ClientState>;
}

/** A state that tells of its changes. */
export interface StateHolder {
  readonly current: ClientState;
  readonly target: EventTarget;
  set(state: ClientState): void;
}

/** Creates a state, `idle` at first. */
export function createState(): StateHolder {
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
