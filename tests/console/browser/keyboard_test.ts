/**
 * The console with a keyboard and with a screen reader.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";
import { createConsoleTest } from "./console.ts";

const consoleTest = createConsoleTest();
const MAX_STOPS = 60;

/** Presses a key until an element that matches the selector has the focus. */
async function tabTo(page: Page, selector: string, key = "Tab"): Promise<void> {
  const script = `document.activeElement.matches(${JSON.stringify(selector)})`;
  for (let stop = 0; stop < MAX_STOPS; stop++) {
    if (await page.evaluate(script)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${selector} cannot be reached with ${key}`);
}

consoleTest("everything can be reached with the keyboard", async ({ page, target, exchanges }) => {
  const { keyboard } = page;
  const press = async (...keys: string[]): Promise<void> => {
    for (const key of keys) await keyboard.press(key);
  };
  const focused = (): Promise<string> => page.evaluate<string>("document.activeElement.id");
  await tabTo(page, "#url");
  await press("Control+A");
  await keyboard.type(`${target.origin}/json`);
  await press("Enter");
  await page.getByRole("tree", { name: "JSON" }).waitFor();

  await tabTo(page, "#tab-headers");
  await press("ArrowRight");
  assertEquals(await focused(), "tab-body");
  assertEquals(await page.locator("#panel-body").isVisible(), true);

  await tabTo(page, "#tab-response-body");
  await press("ArrowRight", "ArrowRight");
  assertEquals(await focused(), "tab-response-timing");
  await press("Home");

  await tabTo(page, '[role="tree"]');
  const rows = page.getByRole("treeitem");
  const all = await rows.count();
  await press("ArrowDown", "ArrowLeft");
  await page.locator('[role="treeitem"][aria-expanded="false"]').waitFor();
  await press("ArrowRight");
  await rows.nth(all - 1).waitFor();

  await tabTo(page, "#url", "Shift+Tab");
  await press("Control+A");
  await keyboard.type(`${target.origin}/missing`);
  await press("Control+Enter");
  await page.locator("#response-status").getByText("404").waitFor();
  await tabTo(page, '[aria-label="Exchanges"]');
  await press("Home");
  await page.locator("#response-status").getByText("200").waitFor();
  await press("ArrowDown");
  await page.locator("#response-status").getByText("404").waitFor();
  assertEquals(await exchanges.nth(1).getAttribute("aria-selected"), "true");

  await tabTo(page, "#copy-as", "Shift+Tab");
  await press("Enter");
  await page.getByRole("dialog", { name: "Copy as" }).waitFor();
  await press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assertEquals(await focused(), "copy-as", "the focus returns");

  await tabTo(page, "#status", "Shift+Tab");
  await press("Enter");
  assertEquals(await focused(), "token");
  await press("Escape");
  assertEquals(await focused(), "status");
  assertEquals(await page.locator("#access").isVisible(), false);
});

consoleTest("the first stop skips the top of the page, and arrow keys resize panes", async (
  { page },
) => {
  await page.evaluate("document.activeElement.blur()");
  await tabTo(page, ".skip");
  await page.keyboard.press("Enter");
  await page.keyboard.type("x");
  assertMatch(await page.locator("#url").inputValue(), /x/);
  const width = async (): Promise<number> =>
    (await page.locator(".request").boundingBox())?.width ?? 0;
  const before = await width();
  await tabTo(page, "#split-columns");
  const value = Number(await page.locator("#split-columns").getAttribute("aria-valuenow"));
  await page.keyboard.press("ArrowRight");
  assert(await width() > before);
  assert(Number(await page.locator("#split-columns").getAttribute("aria-valuenow")) > value);
}, { sizes: ["1920 px"] });

consoleTest("screen readers are told how requests end and how long lists are", async (
  { page, target, send },
) => {
  const announcer = page.locator("#announcer");
  assertEquals(await announcer.getAttribute("role"), "status");
  await send("/json");
  await announcer.getByText(/^GET 200 in .* B$/).waitFor();
  await send("http://192.168.0.1/");
  await announcer.getByText(/^GET failed: destination_ip_prohibited, /).waitFor();
  const { asked } = target.nextStream();
  await send("/stream");
  await asked;
  await page.locator("#response-content").getByRole("button", { name: "Cancel" }).click();
  await announcer.getByText("GET cancelled").waitFor();
  const list = page.getByRole("listbox", { name: "Exchanges" });
  const active = await list.getAttribute("aria-activedescendant");
  const row = page.locator(`#${active}`);
  assertEquals(await row.getAttribute("aria-selected"), "true");
  assertEquals(await row.getAttribute("aria-posinset"), "3");
  assertEquals(await row.getAttribute("aria-setsize"), "3");
});
