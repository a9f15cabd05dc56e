/**
 * A connection of the soak: many exchanges at once, each of which gets the frames of its id and no others.
 *
 * @module
 */
import { connect, type Frame } from "../../helpers/client.ts";
import type { Tally } from "./tally.ts";

/** An exchange under way. */
export interface Talk {
  readonly id: number;
  /** Returns the next frame of the exchange. */
  next(): Promise<Frame>;
  send(frame: object | Uint8Array<ArrayBuffer>): void;
  cancel(): void;
}

/** A connection. */
export interface Conversation {
  /** Makes an exchange with an id of its own; resolves when the client is done with it. */
  hold(exchange: (talk: Talk) => Promise<void>): Promise<void>;
  /** Leaves, with whatever is in flight. */
  leave(): void;
  readonly closed: Promise<unknown>;
}

/** Connects with `wsfetch.v1`. Frames for an exchange that has ended are counted as strays. */
export async function converse(url: string, tally: Tally): Promise<Conversation> {
  const client = await connect(url, ["wsfetch.v1"]);
  await client.next();
  const inboxes = new Map<number, (frame: Frame) => void>();
  const cancelled = new Set<number>();
  let lastId = 0;
  let hasLeft = false;

  async function dispatch(): Promise<void> {
    for (;;) {
      const frame: Frame = await client.next();
      const take = inboxes.get(frame.id);
      if (take !== undefined) take(frame);
      else if (!hasLeft && !cancelled.has(frame.id)) {
        tally.wrong(`a frame ${frame.type ?? "chunk"} for no exchange`);
      }
    }
  }

  const dispatching = dispatch().catch(() => {
    if (!hasLeft) tally.wrong("a connection was closed");
  });
  return {
    async hold(exchange): Promise<void> {
      const id = ++lastId;
      const frames: Frame[] = [];
      let arrived: () => void = () => {};
      inboxes.set(id, (frame) => {
        frames.push(frame);
        arrived();
      });
      try {
        await exchange({
          id,
          async next(): Promise<Frame> {
            while (frames.length === 0 && !hasLeft) {
              await new Promise<void>((resolve) => arrived = resolve);
            }
            if (hasLeft) throw new Error(LEFT);
            return frames.shift();
          },
          send(frame): void {
            if (!hasLeft) client.send(frame);
          },
          cancel(): void {
            client.send({ type: "cancel", id });
            cancelled.add(id);
            if (cancelled.size > MAX_REMEMBERED) cancelled.clear();
          },
        });
        if (frames.length > 0 && !hasLeft && !cancelled.has(id)) {
          tally.wrong("more frames than an exchange has");
        }
      } finally {
        inboxes.delete(id);
      }
    },
    leave(): void {
      hasLeft = true;
      for (const wake of inboxes.values()) wake(undefined);
      client.webSocket.close();
    },
    closed: dispatching,
  };
}

/** The message of the error of an exchange whose client has left. */
export const LEFT = "the client has left";

/** A frame that crosses a cancel arrives long before so many further cancels. */
const MAX_REMEMBERED = 10_000;
