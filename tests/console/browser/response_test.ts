/**
 * The response pane.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { createConsoleTest } from "./console.ts";

const consoleTest = createConsoleTest();

consoleTest("JSON is shown unchanged and can be folded", async ({ page, send }) => {
  await send("/json");
  const json = page.getByRole("tree", { name: "JSON" });
  for (const exact of ["12345678901234567890", "1.0", "1e-400", '"caf\\u00e9"']) {
    await json.getByText(exact, { exact: true }).waitFor();
  }
  assertEquals(await page.locator("#response-status").textContent(), "200 OK");
  const rows = json.getByRole("treeitem");
  const all = await rows.count();
  await page.getByRole("button", { name: "Fold all", exact: true }).click();
  await json.locator('[aria-expanded="false"]').first().waitFor();
  assert(await rows.count() < all);
  await page.getByRole("button", { name: "Unfold all" }).click();
  await json.getByText('"deep"').waitFor();
  assertEquals(await rows.count(), all);
  await json.locator(".fold-mark").last().click();
  await json.getByText('"deep"').waitFor({ state: "detached" });
  await page.getByRole("radio", { name: "Text" }).check({ force: true });
  await page.getByRole("region", { name: "Text" }).getByText('"price": 1.0').waitFor();
});

consoleTest("text and bytes are shown, and invalid JSON with the position of the error", async (
  { page, send },
) => {
  await send("/text");
  await page.getByRole("region", { name: "Text" }).getByText("in two lines").waitFor();
  await page.getByRole("radio", { name: "Hex" }).check({ force: true });
  await page.getByRole("region", { name: "Bytes in hexadecimal" }).getByText("70 6c 61 69")
    .waitFor();
  await send("/bytes");
  const bytes = page.getByRole("region", { name: "Bytes in hexadecimal" });
  await bytes.getByText("00 41 ff 80").waitFor();
  await bytes.getByText(".A..").waitFor();
  await send("/empty");
  await page.getByText("The response has no body.").waitFor();
  await send("/broken");
  await page.getByText("Not valid JSON. Line 1, column 7").waitFor();
});

consoleTest("an image is shown", async ({ page, send }) => {
  await send("/image");
  await page.getByRole("img", { name: "Image of the response" }).waitFor();
  await page.getByText("2 × 3, 79 B").waitFor();
});

consoleTest("a body can be copied and downloaded unchanged", async ({ page, send }) => {
  await send("/json");
  const response = page.locator("#response-content");
  await response.getByRole("button", { name: "Copy", exact: true }).click();
  await response.getByRole("button", { name: "Copied" }).waitFor();
  assertMatch(await page.evaluate<string>("navigator.clipboard.readText()"), /"price": 1\.0,/);
  const downloading = page.waitForEvent("download");
  await response.getByRole("button", { name: "Download" }).click();
  const download = await downloading;
  assertEquals(download.suggestedFilename(), "json");
  assertMatch(await Deno.readTextFile(await download.path()), /12345678901234567890/);
});

consoleTest("the pane shows headers, times and frames", async ({ page, send }) => {
  await send("/json");
  await page.locator("#response-status").getByText("200 OK").waitFor();
  await page.locator("#tab-response-fields").click();
  await page.getByRole("row", { name: "content-type application/json" }).waitFor();
  await page.locator("#tab-response-timing").click();
  const timing = page.locator("#response-timing");
  await timing.getByText("To the response head").waitFor();
  await timing.getByText("Request id").waitFor();
  assertEquals(await page.locator("#response-content .timing-bar span").count(), 3);
  await page.locator("#tab-response-frames").click();
  const frames = page.getByRole("listbox", { name: "Frames of this exchange" });
  await frames.getByRole("option", { name: /^sent .* request/ }).waitFor();
  await frames.getByRole("option", { name: /^received .* response/ }).click();
  const detail = page.locator("#response-frames").getByRole("tree", { name: "JSON" });
  await detail.getByText("12345678901234567890").waitFor();
});

consoleTest("text is shown with its rate while it arrives, and can be paused and cancelled", async (
  { page, target, send },
) => {
  const stream = target.nextStream();
  await send("/stream", { mode: "chunks" });
  await stream.asked;
  stream.push("the first ");
  const text = page.getByRole("region", { name: "Text so far" });
  await text.getByText("the first").waitFor();
  stream.push("and the second");
  await text.getByText("the first and the second").waitFor();
  await page.locator("#response-content .facts-line").getByText(/B\/s/).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator("#response-content .facts-line").getByText("paused").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await page.locator("#response-content").getByRole("button", { name: "Cancel" }).click();
  await stream.cancelled;
  await page.locator("#response-content .facts-line").getByText("cancelled").waitFor();
  await page.getByRole("region", { name: "Text" }).getByText("the first and the second").waitFor();
});

consoleTest("a pause stops the credit, and the rest arrives after it", async (
  { page, target, send },
) => {
  const part = new Uint8Array(65_536).fill(46);
  const stream = target.nextStream();
  await send("/stream", { mode: "chunks" });
  await stream.asked;
  stream.push(part);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Resume" }).waitFor();
  for (let count = 1; count < 64; count++) stream.push(part);
  stream.end();
  await page.locator("#tab-response-timing").click();
  await page.locator("#response-timing dl > div").filter({ hasText: "The service may still send" })
    .getByText("0 B", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator("#response-content .facts-line").getByText("4.19 MB").waitFor();
  await page.getByRole("button", { name: "Cancel", exact: true }).waitFor({ state: "hidden" });
});

consoleTest(
  "events are shown while they arrive, and open as JSON",
  async ({ page, target, send }) => {
    const stream = target.nextStream();
    await send("/stream?type=events", { mode: "events" });
    await stream.asked;
    stream.push('event: token\nid: 7\ndata: {"text": 1.0}\n\n');
    const events = page.getByRole("listbox", { name: "Events" });
    const first = events.getByRole("option").first();
    await first.getByText("token").waitFor();
    await first.getByText("id 7").waitFor();
    stream.push("data: [DONE]\n\n");
    await events.getByText("[DONE]").waitFor();
    await first.click();
    await page.getByRole("tree", { name: "JSON" }).getByText("1.0").waitFor();
    stream.end();
    await page.locator("#response-content .facts-line").getByText("2 events").waitFor();
    await page.locator("#response-content").getByRole("button", { name: "Cancel" }).waitFor({
      state: "hidden",
    });
  },
);

consoleTest("lines are shown while they arrive", async ({ page, target, send }) => {
  const stream = target.nextStream();
  await send("/stream?type=lines", { mode: "lines" });
  await stream.asked;
  stream.push('{"n": 1}\n');
  const lines = page.getByRole("listbox", { name: "Lines" });
  await lines.getByText('{"n": 1}').waitFor();
  stream.push('{"n": 2}\n');
  stream.end();
  await lines.getByText('{"n": 2}').waitFor();
  assertEquals(await lines.getByRole("option").count(), 2);
});

consoleTest("a failure shows its code, whether the request was sent, and what to do", async (
  { page, send },
) => {
  await send("http://192.168.0.1/admin");
  const failure = page.getByRole("group", { name: "Failure" });
  await failure.getByText("destination_ip_prohibited").waitFor();
  await failure.getByText("sent: no").waitFor();
  await failure.getByText("retryable: no").waitFor();
  await failure.getByText("the operator can list the host in ALLOW_HOSTS").waitFor();
  assertEquals(await failure.getByRole("button", { name: "Send again" }).count(), 0);
});

consoleTest("a retryable failure offers to send the request again", async (
  { page, target, send, exchanges },
) => {
  const first = target.nextStream();
  await page.locator("#timeout").fill("300");
  await send("/stream");
  await first.asked;
  const failure = page.getByRole("group", { name: "Failure" });
  await failure.getByText("http_response_timeout").waitFor();
  await failure.getByText(/sent: (?:maybe|yes)/).waitFor();
  const second = target.nextStream();
  await failure.getByRole("button", { name: "Send again" }).click();
  await second.asked;
  await exchanges.nth(1).getByText("http_response_timeout").waitFor();
});
