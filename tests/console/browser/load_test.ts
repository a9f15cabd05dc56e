/**
 * Ten thousand exchanges on one page.
 */
import { assert, assertEquals } from "@std/assert";
import { createConsoleTest } from "./console.ts";

const consoleTest = createConsoleTest();
/** The longest task that is allowed, in milliseconds, on a machine that runs other tests. */
const LONGEST_TASK_MS = 500;

const OBSERVE = `
globalThis.longest = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
}).observe({ type: "longtask" });
`;

consoleTest(
  "the page stays responsive with 10,000 exchanges",
  async ({ page, send, exchanges }) => {
    await page.evaluate(OBSERVE);
    await page.locator("#times").fill("1000");
    for (let count = 1000; count <= 10_000; count += 1000) {
      await send("/empty");
      await page.locator("#exchange-count").getByText(count.toLocaleString("en-US"), {
        exact: true,
      })
        .waitFor();
    }
    const list = page.getByRole("listbox", { name: "Exchanges" });
    await list.focus();
    await page.keyboard.press("Home");
    await exchanges.first().and(page.locator('[aria-posinset="1"][aria-selected="true"]'))
      .waitFor();
    await page.keyboard.press("End");
    await page.locator('[aria-posinset="10000"][aria-setsize="10000"][aria-selected="true"]')
      .waitFor();
    const filter = page.getByRole("searchbox", { name: "Filter exchanges" });
    await filter.fill("no such");
    await exchanges.first().waitFor({ state: "detached" });
    await filter.fill("204");
    await exchanges.first().waitFor();
    await page.locator("#tab-frames").click();
    await page.locator("#frame-count").getByText("20,001").waitFor();
    assert(await page.locator(".row").count() < 200, "only visible rows exist");
    const longest = await page.evaluate<number>("longest");
    assert(longest < LONGEST_TASK_MS, `the longest task took ${longest} ms`);
    assertEquals(await exchanges.getByText("failed").count(), 0);
  },
  { sizes: ["1920 px"] },
);
