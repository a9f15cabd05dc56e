/**
 * Checks each view with axe-core, in the light and the dark colour scheme.
 */
import { assertEquals } from "@std/assert";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { createConsoleTest } from "./console.ts";

const consoleTest = createConsoleTest();
const SCHEMES = ["light", "dark"] as const;

/** Runs all rules, including those beyond WCAG. */
const RUN = `
axe.run({ resultTypes: ["violations"] }).then(({ violations }) =>
  violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html.slice(0, 200)).join(" | "))
)`;

async function assertAccessible(page: Page, view: string): Promise<void> {
  // Not as a script element, which the content security policy would refuse.
  if (await page.evaluate("typeof axe === 'undefined'")) await page.evaluate(axe.source);
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    const violations = await page.evaluate(RUN);
    assertEquals({ view, colorScheme, violations }, { view, colorScheme, violations: [] });
  }
}

consoleTest(
  "axe-core finds no violation in the request",
  async ({ page, send }) => {
    await assertAccessible(page, "empty");
    await page.locator("#add-header").click();
    await page.getByLabel("Header name").fill("authorization");
    await assertAccessible(page, "a header that is a credential");
    await page.locator("#tab-body").click();
    await page.check('[name="body-kind"][value="file"]', { force: true });
    await assertAccessible(page, "a file");
    await page.check('[name="body-kind"][value="json"]', { force: true });
    await page.locator("#body-text").fill("{");
    await page.locator("#timeout").fill("soon");
    await send("ftp://a.test", { method: "POST" });
    await page.locator("#url-problem").waitFor();
    await assertAccessible(page, "field problems");
    await page.locator("#copy-as").click();
    await assertAccessible(page, "copy as");
    await page.keyboard.press("Escape");
    await page.locator("#share").click();
    await assertAccessible(page, "share");
  },
);

consoleTest("axe-core finds no violation in the response", async (
  { page, target, send },
) => {
  const status = page.locator("#response-status");
  await send("/json");
  await page.getByRole("treeitem").first().click();
  await assertAccessible(page, "JSON");
  await page.locator("#tab-response-fields").click();
  await assertAccessible(page, "headers");
  await page.locator("#tab-response-timing").click();
  await assertAccessible(page, "timing");
  await page.locator("#tab-response-frames").click();
  await page.getByRole("listbox", { name: "Frames of this exchange" }).getByRole("option").first()
    .click();
  await assertAccessible(page, "frames");
  await page.locator("#tab-response-body").click();
  for (const path of ["/missing", "/bytes", "/image", "/text"]) {
    await send(path);
    await page.locator("#response-content .response-url").getByText(path).waitFor();
    await status.getByText(/\d{3}/).waitFor();
    await assertAccessible(page, path);
  }
  await send("http://192.168.0.1/");
  await page.getByRole("group", { name: "Failure" }).waitFor();
  await assertAccessible(page, "a failure");
  const stream = target.nextStream();
  stream.push("event: a\ndata: {}\n\n");
  await send("/stream?type=events", { mode: "events" });
  await page.getByRole("listbox", { name: "Events" }).getByRole("option").click();
  await assertAccessible(page, "events");
});

consoleTest("axe-core finds no violation in the activity", async (
  { page, target, send, exchanges },
) => {
  await send("/json");
  await exchanges.nth(0).getByText("200", { exact: true }).waitFor();
  await send("/missing");
  await exchanges.nth(1).getByText("404", { exact: true }).waitFor();
  await send("http://192.168.0.1/");
  await exchanges.nth(2).getByText("destination_ip_prohibited").waitFor();
  const stream = target.nextStream();
  stream.push("the first");
  await send("/stream", { mode: "chunks" });
  await page.getByRole("region", { name: "Text so far" }).getByText("the first").waitFor();
  await assertAccessible(page, "the waterfall, and text that is arriving");
  await page.locator("#tab-frames").click();
  await page.getByRole("listbox", { name: "Frames", exact: true }).getByRole("option").first()
    .click();
  await assertAccessible(page, "the frame log");
  await page.locator("#tab-history").click();
  await assertAccessible(page, "history");
  await page.locator("#tab-connection").click();
  await page.locator("#panel-connection").getByRole("table").waitFor();
  await assertAccessible(page, "the connection");
});

consoleTest("axe-core finds no violation in a refusal", async ({ page }) => {
  await page.getByRole("alert").getByText("A token is required").waitFor();
  await assertAccessible(page, "refused");
}, {
  settings: () => ({ AUTH_TOKENS: "alice:correct-horse" }),
  state: "refused",
  expected: /^WebSocket connection to|^Failed to load resource/,
});
