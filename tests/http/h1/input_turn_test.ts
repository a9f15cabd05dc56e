import { assertEquals } from "@std/assert";
import { InputTurn } from "../../../src/http/h1/input_turn.ts";
import { createFakeClock } from "../../helpers/clock.ts";

Deno.test("wait() fulfils after the microtasks of the input of a turn, once in a turn for all", async () => {
  const clock = createFakeClock();
  const turn = new InputTurn(clock);
  assertEquals(turn.isTold, false);
  const first = turn.wait();
  assertEquals(turn.wait() === first, true);
  let told = false;
  (async () => {
    for (let count = 0; count < 4; count++) await undefined; // a read that ends in this turn
    told = true;
  })();
  await first;
  assertEquals([told, turn.isTold], [true, true]);
  assertEquals([clock.turn(), turn.isTold], [1, false]);
});
