/**
 * Events of a stream as frames, and what they carry.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { EventFrame } from "../protocol/mod.ts";
import type { StreamEvent } from "./stream_event.ts";

// Event types that are not part of the body.
const OWN_TYPES: ReadonlySet<string> = new Set(["message", "line"]);

/** Returns how many bytes of the body an event carries. Any text can be long, and every event repeats the last id. */
export function sizeOfEvent(event: StreamEvent): number {
  const type = OWN_TYPES.has(event.event) ? "" : event.event;
  const state = Buffer.byteLength(type) + Buffer.byteLength(event.lastEventId ?? "");
  return state + (event.dataBytes?.byteLength ?? Buffer.byteLength(event.data));
}

/** Returns the frame of an event, with its text: to be called when the frame can be sent. */
export function toEventFrame(
  id: number,
  { event, data, lastEventId, retryMs }: StreamEvent,
): EventFrame {
  return {
    type: "event",
    id,
    event,
    data,
    ...(lastEventId !== undefined && { lastEventId }),
    ...(retryMs !== undefined && { retryMs }),
  };
}
