/**
 * Hostile responses, links and stored histories. Each test asserts that the browser console is empty, where scripts,
 * requests and violations of the content security policy would leave messages.
 */
import { assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { createConsoleTest } from "./console.ts";
import { MARKUP } from "./target.ts";

const consoleTest = createConsoleTest();

/** Asserts that the markup was only shown as text. */
async function assertHarmless(page: Page): Promise<void> {
  assertEquals(await page.evaluate("typeof owned"), "undefined");
  assertEquals(await page.locator("img[src='/owned'], body style, body script").count(), 0);
}

function toLink(draft: unknown): string {
  const bytes = new TextEncoder().encode(JSON.stringify(draft));
  return `/#request=${bytes.toBase64({ alphabet: "base64url", omitPadding: true })}`;
}

const BODIES = [
  { type: "text/html", view: "Text", body: MARKUP },
  { type: "application/json", view: "JSON", body: JSON.stringify({ [MARKUP]: MARKUP }) },
  {
    type: "image/svg+xml",
    view: "Image",
    body:
      '<svg xmlns="http://www.w3.org/2000/svg" onload="top.owned=1"><script>top.owned=1</script>' +
      '<image href="/owned"/><foreignObject><img xmlns="http://www.w3.org/1999/xhtml" src="/owned"/></foreignObject></svg>',
  },
] as const;

consoleTest("bodies and headers are shown as text", async ({ page, target, send }) => {
  for (const { type, view, body } of BODIES) {
    const url = new URL("/markup", target.origin);
    url.search = String(new URLSearchParams({ type, body }));
    await send(url.href);
    const response = page.locator("#response-body");
    await response.getByRole("radio", { name: view, exact: true }).and(page.locator(":checked"))
      .waitFor({ state: "attached" });
    if (view === "Image") await response.getByText(/ B$/).waitFor();
    else await response.getByText("owned=1").first().waitFor();
    await page.locator("#tab-response-fields").click();
    await page.getByRole("cell", { name: MARKUP }).waitFor();
    await page.locator("#tab-response-frames").click();
    await page.getByRole("listbox", { name: "Frames of this exchange" }).getByRole("option").nth(1)
      .click();
    await page.locator("#tab-response-body").click();
    await assertHarmless(page);
  }
});

consoleTest(
  "events are shown as text, with their names and ids",
  async ({ page, target, send }) => {
    const stream = target.nextStream();
    stream.push(`event: ${MARKUP}\nid: ${MARKUP}\ndata: ${MARKUP}\n\n`);
    await send("/stream?type=events", { mode: "events" });
    const event = page.getByRole("listbox", { name: "Events" }).getByRole("option");
    await event.click();
    await page.getByRole("region", { name: "Text" }).getByText("owned=1").waitFor();
    await assertHarmless(page);
  },
);

consoleTest("a URL is shown as text, without characters that reverse its direction", async (
  { page, target, send, exchanges },
) => {
  await send(`${target.origin}/json?${MARKUP}#\u202e`);
  await page.locator("#response-status").getByText("200").waitFor();
  await exchanges.first().getByText("owned=1").waitFor();
  await exchanges.first().getByText("\\u202e").waitFor();
  await page.locator("#tab-history").click();
  await page.getByRole("list", { name: "Sent requests" }).getByText("owned=1").waitFor();
  await page.locator("#copy-as").click();
  await page.locator("#dialog textarea").waitFor();
  await assertHarmless(page);
});

const HOSTILE_DRAFT = {
  method: MARKUP,
  upstream: MARKUP,
  url: "javascript:owned=1",
  headers: [[MARKUP, MARKUP]],
  bodyKind: "json",
  bodyText: MARKUP,
};

consoleTest("a hostile link only fills the editor, and cannot be sent", async (
  { page, send, exchanges },
) => {
  await page.locator("#link-notice").waitFor();
  assertEquals(await page.getByLabel("Other method").inputValue(), MARKUP);
  assertEquals(await page.locator("#upstream").inputValue(), MARKUP);
  await page.locator("#send").click();
  await page.locator("#url-problem").waitFor();
  await page.locator("#copy-as").click();
  await page.keyboard.press("Escape");
  await page.locator("#upstream").selectOption("");
  await send("javascript:owned=1", { method: "POST" });
  await page.locator("#url-problem").waitFor();
  assertEquals(await exchanges.count(), 0);
  await assertHarmless(page);
}, { path: toLink(HOSTILE_DRAFT) });

for (
  const { name, path } of [
    { name: "with invalid base64", path: "/#request=%%%" },
    { name: "without a draft", path: toLink([1, 2]) },
    { name: "with a prototype", path: toLink(JSON.parse('{"__proto__": {"url": 1}, "url": 1}')) },
  ]
) {
  consoleTest(`a link ${name} is ignored`, async ({ page }) => {
    assertEquals(await page.locator("#link-notice").isVisible(), false);
    assertEquals(await page.locator("#url").inputValue(), "https://example.com/");
  }, { path, sizes: ["360 px"] });
}

const ENTRIES = [
  { draft: { ...HOSTILE_DRAFT, headers: [] }, at: 0, outcome: MARKUP },
  { draft: { url: {} }, at: "soon" },
  null,
];

consoleTest("a hostile history is shown as text", async ({ page, reached }) => {
  const text = JSON.stringify(JSON.stringify(ENTRIES));
  await page.evaluate(`localStorage.setItem("wsfetch.history", ${text})`);
  await page.reload();
  await reached("open");
  await page.locator("#tab-history").click();
  const entries = page.getByRole("list", { name: "Sent requests" }).getByRole("button");
  assertEquals(await entries.count(), 1);
  await entries.click();
  assertEquals(await page.locator("#body-text").inputValue(), MARKUP);
  await assertHarmless(page);
});
