import { assertEquals } from "@std/assert";
import { createCreditMeter } from "../../src/console/credit_meter.ts";
import { createFrameLog } from "../../src/console/frame_log.ts";
import { encodeChunk } from "../../src/protocol/mod.ts";

const chunk = (id: number, size: number, fin = false): Uint8Array<ArrayBuffer> =>
  encodeChunk({ id, payload: new Uint8Array(size).fill(65), fin });

Deno.test("createCreditMeter() computes the credit of both directions", () => {
  const log = createFrameLog({ now: () => 0 });
  const meter = createCreditMeter(1000);
  meter.add(log.add(1, "sent", '{"type":"request","id":1,"bodyFollows":true,"windowBytes":500}'));
  meter.add(log.add(1, "sent", chunk(1, 300)));
  meter.add(log.add(1, "received", '{"type":"grant","id":1,"bytes":200}'));
  meter.add(log.add(1, "received", chunk(1, 400)));
  meter.add(log.add(1, "sent", '{"type":"grant","id":1,"bytes":100}'));
  assertEquals(meter.upload, { movedBytes: 300, grantedBytes: 200, creditBytes: 900 });
  assertEquals(meter.download, { movedBytes: 400, grantedBytes: 100, creditBytes: 200 });
});

Deno.test("createCreditMeter() has no credit where none is needed", () => {
  const log = createFrameLog({ now: () => 0 });
  const meter = createCreditMeter(undefined);
  meter.add(log.add(1, "sent", '{"type":"request","id":1}'));
  meter.add(log.add(1, "received", chunk(1, 4)));
  assertEquals(meter.upload, undefined);
  assertEquals(meter.download, { movedBytes: 4, grantedBytes: 0, creditBytes: undefined });
});
