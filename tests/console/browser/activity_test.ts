/**
 * The activity pane: exchanges, frames, history and connection.
 */
import { assertEquals } from "@std/assert";
import { createConsoleTest } from "./console.ts";

const consoleTest = createConsoleTest();

consoleTest(
  "exchanges are on a common time axis, and each opens its response and its frames",
  async (
    { page, target, send, exchanges },
  ) => {
    await send("/json");
    await exchanges.nth(0).getByText("200", { exact: true }).waitFor();
    target.nextStream();
    await send("/stream?type=text", { mode: "chunks" });
    await exchanges.nth(1).getByText("200", { exact: true }).waitFor();
    await page.locator("#exchange-count").getByText("2, 1 in flight").waitFor();
    await send("/missing", { mode: "whole" });
    await exchanges.nth(2).getByText("404", { exact: true }).waitFor();
    // Measured at once: the bars of running exchanges change continuously.
    await page.waitForFunction(`(([first, running, last]) => first < running && running < last)(
    [...document.querySelectorAll("[aria-label=Exchanges] .track span:first-child")]
      .map((bar) => bar.getBoundingClientRect().x)
  )`);
    assertEquals(await exchanges.nth(1).locator(".track.live").count(), 1);
    await exchanges.nth(0).click();
    await page.getByRole("tree", { name: "JSON" }).waitFor();
    await page.locator("#tab-response-frames").click();
    const frames = page.getByRole("listbox", { name: "Frames of this exchange" });
    await frames.getByRole("option").nth(1).getByText('"status":200').waitFor();
    assertEquals(await frames.getByRole("option").count(), 2);
    await exchanges.nth(2).click();
    await page.locator("#response-status").getByText("404").waitFor();
    await frames.getByRole("option").nth(1).getByText('"status":404').waitFor();
  },
);

consoleTest("exchanges can be filtered, and cleared when they have ended", async (
  { page, target, send, exchanges },
) => {
  await send("/json");
  await exchanges.nth(0).getByText("200", { exact: true }).waitFor();
  await send("/missing");
  await exchanges.nth(1).getByText("404", { exact: true }).waitFor();
  const filter = page.getByRole("searchbox", { name: "Filter exchanges" });
  await filter.fill("404");
  await exchanges.nth(1).waitFor({ state: "detached" });
  await exchanges.first().getByText("/missing").waitFor();
  await filter.fill("");
  await exchanges.nth(1).waitFor();
  const { asked } = target.nextStream();
  await send("/stream");
  await asked;
  await exchanges.nth(2).waitFor();
  await page.locator("#panel-exchanges").getByRole("button", { name: "Clear" }).click();
  await exchanges.nth(1).waitFor({ state: "detached" });
  await exchanges.first().getByText("/stream").waitFor();
});

consoleTest("the log contains every frame, and can be filtered by direction, type and text", async (
  { page, send },
) => {
  await send("/json");
  await page.locator("#response-status").getByText("200").waitFor();
  await page.locator("#tab-frames").click();
  const frames = page.getByRole("listbox", { name: "Frames", exact: true }).getByRole("option");
  const types = (): Promise<string[]> => frames.locator(".type").allTextContents();
  await frames.nth(2).waitFor();
  assertEquals(await types(), ["hello", "request", "response"]);
  await page.getByLabel("Direction").selectOption("sent");
  await frames.nth(1).waitFor({ state: "detached" });
  assertEquals(await types(), ["request"]);
  await page.getByLabel("Direction").selectOption("");
  await page.getByLabel("Type").selectOption("hello");
  await frames.nth(1).waitFor({ state: "detached" });
  await frames.first().getByText("hello", { exact: true }).waitFor();
  await page.getByLabel("Type").selectOption("");
  await page.getByRole("searchbox", { name: "Filter frames" }).fill("12345678901234567890");
  await page.getByText("1 of 3").waitFor();
  await frames.first().click();
  await page.locator("#panel-frames").getByRole("tree", { name: "JSON" })
    .getByText('"response"').waitFor();
  await page.locator("#panel-frames").getByRole("button", { name: "Clear" }).click();
  await frames.first().waitFor({ state: "detached" });
});

consoleTest(
  "the history outlives the page, can be loaded into the editor and can be cleared",
  async (
    { page, target, send, reached },
  ) => {
    await page.locator("#tab-body").click();
    await page.check('[name="body-kind"][value="json"]', { force: true });
    await page.locator("#body-text").fill('{"a": 1.0, "password": "hunter22"}');
    await send("/echo", { method: "POST" });
    await page.locator("#response-status").getByText("200").waitFor();
    await page.reload();
    await reached("open");
    await page.locator("#tab-history").click();
    const entries = page.getByRole("list", { name: "Sent requests" }).getByRole("button");
    await entries.filter({ hasText: "POST" }).click();
    assertEquals(await page.locator("#method").inputValue(), "POST");
    assertEquals(await page.locator("#url").inputValue(), `${target.origin}/echo`);
    assertEquals(await page.locator("#body-text").inputValue(), '{"a": 1.0, "password": ""}');
    await page.getByRole("button", { name: "Clear history" }).click();
    await entries.first().waitFor({ state: "detached" });
    assertEquals(await page.evaluate("localStorage.getItem('wsfetch.history')"), null);
  },
);

consoleTest("the connection panel shows limits, exchanges in flight and credit", async (
  { page, target, send },
) => {
  const stream = target.nextStream();
  await send("/stream", { mode: "chunks" });
  await stream.asked;
  await page.locator("#tab-connection").click();
  const panel = page.locator("#panel-connection");
  const fact = (name: string) => panel.locator("dl > div").filter({ hasText: name });
  await fact("In flight").getByText("1", { exact: true }).waitFor();
  await fact("Buffered").getByText("0 B").waitFor();
  await fact("maxInFlight").getByText("64").waitFor();
  await fact("Identity").getByText("none; the service requires no credential").waitFor();
  await panel.getByText("connection 1 greeted: wsfetch/").waitFor();
  stream.push(new Uint8Array(100_000));
  const credit = panel.getByRole("table", { name: "Credit of exchanges in flight" });
  await credit.getByRole("cell", { name: "100 kB" }).waitFor();
  await credit.getByRole("cell", { name: "162 kB" }).waitFor();
});
