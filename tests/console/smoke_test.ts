/**
 * The console in Chromium: sends a request and shows the response.
 */
import { assertEquals } from "@std/assert";
import { chromium } from "playwright-core";
import { startService } from "../helpers/service.ts";
import { startHttp } from "../helpers/upstream.ts";

const CHROMIUM = "/usr/bin/chromium";

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

const hasChromium = await exists(CHROMIUM);
// deno-lint-ignore no-console -- reports what was not tested
if (!hasChromium) console.log(`There is no ${CHROMIUM}: the console is not tested in it`);

Deno.test({
  name: "the console sends a request and shows the response, within its content security policy",
  ignore: !hasChromium,
  timeout: 180_000,
  fn: async () => {
    await using target = startHttp(() =>
      new Response(
        '{"id": 12345678901234567890, "price": 1.0, "html": "<img src=x onerror=alert(1)>"}',
        {
          headers: { "content-type": "application/json" },
        },
      )
    );
    await using service = startService();
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(service.origin);
      await page.getByLabel("URL", { exact: true }).fill(target.origin);
      await page.keyboard.press("Control+Enter");
      const json = page.getByRole("tree", { name: "JSON" });
      await json.getByText("12345678901234567890").waitFor();
      await json.getByText("1.0").waitFor();
      await json.getByText("<img src=x onerror=alert(1)>").waitFor();
      assertEquals(await page.locator("#response-status").textContent(), "200 OK");
      assertEquals(
        await page.getByRole("listbox", { name: "Exchanges" }).getByRole("option").count(),
        1,
      );
      assertEquals(await page.getByRole("status").filter({ hasText: "GET 200" }).count(), 1);
      assertEquals(complaints, []);
    } finally {
      await browser.close();
    }
  },
});
