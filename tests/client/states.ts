/**
 * Waits for the states of a client.
 *
 * @module
 */
import type { Client, ClientState } from "../../src/client/mod.ts";

/** Fulfils with the next state of this type. */
export function becomes<T extends ClientState["type"]>(
  client: Client,
  type: T,
): Promise<Extract<ClientState, { type: T }>> {
  return new Promise((resolve) => {
    client.addEventListener("statechange", function listen({ detail }): void {
      if (!isOf(detail, type)) return;
      client.removeEventListener("statechange", listen);
      resolve(detail);
    });
  });
}

function isOf<T extends ClientState["type"]>(
  state: ClientState,
  type: T,
): state is Extract<ClientState, { type: T }> {
  return state.type === type;
}
