import { assertEquals } from "@std/assert";
import { Breaks } from "./soak/breaks.ts";

Deno.test("Breaks begins a break when no exchange is under way, and ends it before the next", async () => {
  const breaks = new Breaks();
  const order: string[] = [];
  const [underWay, rest] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const first = breaks.exchange(() => underWay.promise.then(() => void order.push("first")));
  const resting = breaks.take(() => {
    order.push("break");
    return rest.promise;
  });
  const second = breaks.exchange(() => Promise.resolve(void order.push("second")));
  underWay.resolve();
  await first;
  rest.resolve();
  await resting;
  await second;
  assertEquals(order, ["first", "break", "second"]);
});

Deno.test("Breaks begins a break at once when nothing is under way, and exchanges go on when it fails", async () => {
  const breaks = new Breaks();
  const failing = breaks.take(() => Promise.reject(new Error("no memory was read")));
  assertEquals(await failing.catch(({ message }: Error) => message), "no memory was read");
  await breaks.exchange(() => Promise.resolve());
});
