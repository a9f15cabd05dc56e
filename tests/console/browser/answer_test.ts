/**
 * The answer, in every way that it is shown.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { createConsoleTest } from "./console.ts";

const consoleTest = createConsoleTest();

consoleTest("the console shows JSON with its numbers as they are", async ({ page, send }) => {
  await send("/json");
  const json = page.getByRole("tree", { name: "JSON" });
  await json.getByText("12345678901234567890").waitFor();
  assertEquals(await page.locator("#answer-status").textContent(), "200 OK");
});
