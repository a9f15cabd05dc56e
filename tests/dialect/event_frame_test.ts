import { assert, assertEquals } from "@std/assert";
import { encodeEventInSteps } from "../../src/dialect/event_frame.ts";
import type { EventFrame } from "../../src/protocol/mod.ts";

const STEP_BYTES = 196_608;
const FRAME: EventFrame = { type: "event", id: 7, event: "x", data: "", lastEventId: '"' };

function encode(
  bytes: Uint8Array<ArrayBuffer>,
): { readonly text: string; readonly yields: number } {
  const steps = encodeEventInSteps(FRAME, bytes);
  for (let yields = 0;; yields++) {
    const { done, value } = steps.next();
    if (done === true) return { text: value, yields };
  }
}

Deno.test("encodeEventInSteps() returns the text of the whole frame, wherever a step ends", () => {
  const parts = [
    ...["\u6f22", "\u{1f600}", "\ufeff", '"\\', "\u0001"].map((text) =>
      new TextEncoder().encode(text)
    ),
    ...[[0xff], [0xf0, 0x9f, 0x98, 0x80, 0x80], [0xe2, 0x82], [0x80, 0x80, 0x80, 0x80]].map((
      bytes,
    ) => Uint8Array.from(bytes)),
  ];
  for (const part of parts) {
    for (let before = 0; before <= part.length; before++) {
      const bytes = new Uint8Array(2 * STEP_BYTES).fill(0x61);
      bytes.set(part, STEP_BYTES - before);
      const data = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
      assertEquals(JSON.parse(encode(bytes).text), { ...FRAME, data });
    }
  }
});

Deno.test("encodeEventInSteps() reads 192 KiB in a step", () => {
  assert(encode(new Uint8Array(10 * STEP_BYTES)).yields >= 10);
  assertEquals(JSON.parse(encode(new Uint8Array()).text), FRAME);
});
