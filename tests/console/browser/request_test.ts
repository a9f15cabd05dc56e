/**
 * The request editor.
 */
import { Buffer } from "node:buffer";
import { assertEquals } from "@std/assert";
import { createConsoleTest } from "./console.ts";

const consoleTest = createConsoleTest();
const BIG = '{\n  "id": 12345678901234567890,\n  "price": 1.0\n}';

consoleTest("method, headers and JSON are sent unchanged", async (
  { page, target, send },
) => {
  await page.locator("#add-header").click();
  await page.getByLabel("Header name").fill("x-one");
  await page.getByLabel("Value of x-one").fill("a  b");
  await page.locator("#add-header").click();
  await page.getByLabel("Header name").last().fill("x-gone");
  await page.getByRole("button", { name: "Remove x-gone" }).click();
  await page.locator("#tab-body").click();
  await page.check('[name="body-kind"][value="json"]', { force: true });
  await page.locator("#body-text").fill(BIG);
  await page.locator("#body-problem").getByText("Valid JSON").waitFor();
  await send("/echo", { method: "PUT" });
  await page.getByRole("tree", { name: "JSON" }).getByText("12345678901234567890").waitFor();
  const { lastHeaders } = target;
  assertEquals(lastHeaders().get("x-one"), "a  b");
  assertEquals(lastHeaders().get("x-gone"), null);
  assertEquals(lastHeaders().get("content-type"), "application/json");
  assertEquals(lastHeaders().get("content-length"), String(BIG.length));
  await page.locator("#tab-response-fields").click();
  await page.getByRole("row", { name: "x-method PUT" }).waitFor();
});

consoleTest("JSON is checked while it is edited, and can be formatted", async ({ page, send }) => {
  await page.locator("#tab-body").click();
  await page.check('[name="body-kind"][value="json"]', { force: true });
  const text = page.locator("#body-text");
  await text.fill('{"price": 1.0,}');
  await page.locator("#body-problem").getByText("Line 1, column 15").waitFor();
  assertEquals(await text.getAttribute("aria-invalid"), "true");
  await send("/echo", { method: "POST" });
  assertEquals(await page.evaluate("document.activeElement.id"), "body-text");
  assertEquals(await page.locator("#response-status").count(), 0, "nothing was sent");
  await text.fill('{"price": 1.0, "id": 12345678901234567890}');
  await page.locator("#format-body").click();
  assertEquals(await text.inputValue(), '{\n  "price": 1.0,\n  "id": 12345678901234567890\n}');
  assertEquals(await text.getAttribute("aria-invalid"), null);
});

consoleTest("text and another method are sent", async ({ page, target, send }) => {
  await page.locator("#tab-body").click();
  await page.check('[name="body-kind"][value="text"]', { force: true });
  await page.locator("#body-text").fill("plain “text”\n");
  await page.locator("#method").selectOption({ label: "Other…" });
  await page.getByLabel("Other method").fill("patch");
  await send("/echo");
  await page.getByRole("region", { name: "Text" }).getByText("plain “text”").waitFor();
  assertEquals(target.requests.at(-1), `PATCH ${target.origin}/echo`);
  assertEquals(target.lastHeaders().get("content-type"), "text/plain;charset=utf-8");
});

for (
  const { name, size } of [
    { name: "in its frame", size: 3 },
    { name: "in chunks", size: 2_000_000 },
  ]
) {
  consoleTest(`a file is sent ${name}`, async ({ page, target, send }) => {
    await page.locator("#tab-body").click();
    await page.check('[name="body-kind"][value="file"]', { force: true });
    await send("/echo", { method: "POST" });
    await page.locator("#body-problem").getByText("Choose a file").waitFor();
    await page.locator("#body-file").setInputFiles({
      name: "a.bin",
      mimeType: "application/x-a",
      buffer: Buffer.alloc(size, 255),
    });
    await send("/echo");
    await page.locator("#response-status").getByText("200 OK").waitFor();
    await page.locator("#response-content .facts-line").getByText(size === 3 ? "3 B" : "2 MB")
      .waitFor();
    assertEquals(target.lastHeaders().get("content-type"), "application/x-a");
    await page.getByRole("region", { name: "Bytes in hexadecimal" }).getByText("ff ff ff").first()
      .waitFor();
  }, { settings: () => ({ MAX_REQUEST_BYTES: "4000000", MAX_STREAM_BYTES: "4000000" }) });
}

consoleTest("problems are shown next to their fields", async ({ page, send, exchanges }) => {
  const problems = [
    ["", "Enter a URL such as"],
    ["ftp://a.test/", "Only http and https"],
    ["http://user:pw@a.test/", "use an authorization header"],
  ] as const;
  for (const [url, problem] of problems) {
    await send(url);
    await page.locator("#url-problem").getByText(problem).waitFor();
    assertEquals(await page.locator("#url").getAttribute("aria-invalid"), "true");
  }
  await page.locator("#timeout").fill("soon");
  await send("/json");
  await page.locator("#timeout-problem").getByText("whole milliseconds").waitFor();
  await page.locator("#timeout").fill("");
  await page.locator("#add-header").click();
  await page.getByLabel("Header name").fill("bad name");
  await send("/json");
  await page.locator("#headers-problem").getByText('"bad name" is not a valid header name')
    .waitFor();
  await page.getByLabel("Header name").fill("fine");
  await page.locator("#tab-body").click();
  await page.check('[name="body-kind"][value="text"]', { force: true });
  await send("/json", { method: "GET" });
  await page.locator("#body-problem").getByText("A GET request has no body").waitFor();
  assertEquals(await exchanges.count(), 0);
});

consoleTest("redirects are followed, shown or rejected", async ({ page, send }) => {
  const status = page.locator("#response-status");
  await send("/redirect");
  await page.locator("#response-content .facts-line").getByText("redirected").waitFor();
  await page.locator("#redirect").selectOption("manual");
  await send("/redirect");
  await status.getByText("302").waitFor();
  await page.locator("#redirect").selectOption("error");
  await send("/redirect");
  await page.getByRole("group", { name: "Failure" }).waitFor();
});

consoleTest("a request can be cancelled, and so can one that was sent many times", async (
  { page, target, send, exchanges },
) => {
  const { asked, cancelled } = target.nextStream();
  await send("/stream");
  await asked;
  await page.locator("#response-content").getByRole("button", { name: "Cancel" }).click();
  await page.locator("#response-content .facts-line").getByText("cancelled").waitFor();
  await exchanges.getByText("cancelled").waitFor();
  await cancelled;
  await page.locator("#times").fill("5");
  await send("/hang");
  await page.locator("#exchange-count").getByText("6, 5 in flight").waitFor();
  await page.getByRole("button", { name: "Cancel all" }).click();
  await page.locator("#exchange-count").getByText("6", { exact: true }).waitFor();
  await exchanges.getByText("cancelled").nth(5).waitFor();
});

consoleTest(
  "a path below a named upstream is sent with its secret, which the page does not contain",
  async (
    { page, target, send },
  ) => {
    const upstream = page.getByRole("combobox", { name: "Upstream" });
    await upstream.selectOption("shop");
    assertEquals(await page.getByLabel("Path below shop").count(), 1);
    await page.locator("#url").fill("echo");
    await page.locator("#url").press("Enter");
    await page.locator("#response-status").getByText("200 OK").waitFor();
    assertEquals(target.lastHeaders().get("x-key"), "the-secret");
    await upstream.selectOption("");
    await send("shop:/json");
    await page.getByRole("tree", { name: "JSON" }).waitFor();
    await page.locator("#tab-frames").click();
    assertEquals((await page.content()).includes("the-secret"), false);
  },
  {
    settings: ({ origin }) => ({
      UPSTREAMS: JSON.stringify({
        shop: { baseUrl: origin, headers: { "x-key": "${env:KEY}" } },
      }),
    }),
    deps: { sources: { env: () => "the-secret", readText: () => "" } },
  },
);
