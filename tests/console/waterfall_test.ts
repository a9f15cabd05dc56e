import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { layoutWaterfall, type Span } from "../../src/console/waterfall.ts";

const span = (start: number, end: number | undefined, sent = start, head = end): Span => ({
  start,
  sent,
  head,
  end,
});

Deno.test("layoutWaterfall() places concurrent exchanges on one axis", () => {
  const { bars } = layoutWaterfall([span(0, 100), span(50, 100, 60, 80), span(100, 200)], 500);
  assertEquals(bars, [
    { start: 0, sent: 0, head: 0.5, end: 0.5 },
    { start: 0.25, sent: 0.3, head: 0.4, end: 0.5 },
    { start: 0.5, sent: 0.5, head: 1, end: 1 },
  ]);
});

Deno.test("layoutWaterfall() extends exchanges in flight to now", () => {
  const open: Span = { start: 0, sent: undefined, head: undefined, end: undefined };
  assertEquals(layoutWaterfall([open, span(0, 50)], 100).bars, [
    { start: 0, sent: 1, head: 1, end: 1 },
    { start: 0, sent: 0, head: 0.5, end: 0.5 },
  ]);
});

Deno.test("layoutWaterfall() cuts out idle time and labels its duration", () => {
  const { bars, marks } = layoutWaterfall([span(0, 100), span(60_100, 60_200)], 0);
  const [{ end = 0 } = {}, { start = 0 } = {}] = bars;
  assert(end > 0.45 && start < 0.55 && start > end);
  assertEquals(marks.filter(({ isCut }) => isCut).map(({ label }) => label), ["1 min 0 s"]);
});

Deno.test("layoutWaterfall() keeps short idle time", () => {
  const { marks } = layoutWaterfall([span(0, 100), span(120, 200)], 0);
  assertEquals(marks.some(({ isCut }) => isCut), false);
  assertEquals(marks.map(({ label }) => label), ["0 ms", "50 ms", "100 ms", "150 ms"]);
});

Deno.test("layoutWaterfall() returns an empty layout without exchanges", () => {
  assertEquals(layoutWaterfall([], 0), { bars: [], marks: [] });
});

Deno.test("layoutWaterfall() keeps the order and stays on the axis", () => {
  const spans = fc.array(
    fc.record({
      start: fc.nat(100_000),
      sent: fc.option(fc.nat(50), { nil: undefined }),
      head: fc.option(fc.nat(500), { nil: undefined }),
      end: fc.option(fc.nat(5000), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 30 },
  ).map((exchanges) =>
    exchanges.map(({ start, sent = 0, head = 0, end }): Span => ({
      start,
      sent: start + sent,
      head: start + sent + head,
      end: end === undefined ? undefined : start + sent + head + end,
    }))
  );
  fc.assert(fc.property(spans, (input) => {
    const { bars, marks } = layoutWaterfall(input, 200_000);
    const almost = 1 + 1e-9;
    for (const { start, sent, head, end } of bars) {
      assert(start >= 0 && start <= sent && sent <= head && head <= end && end <= almost);
    }
    for (const { at } of marks) assert(at >= 0 && at <= almost);
    input.forEach((a, i) =>
      input.forEach((b, j) => {
        if (a.start <= b.start) assert((bars[i]?.start ?? 0) <= (bars[j]?.start ?? 0) + 1e-9);
      })
    );
  }));
});
