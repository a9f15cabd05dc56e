/**
 * Getting in: tokens, origins, refusals, and the connection's ups and downs.
 */
import { assert, assertEquals } from "@std/assert";
import { startCable } from "./cable.ts";
import { createConsoleTest } from "./console.ts";

const consoleTest = createConsoleTest();
const TOKEN = "correct-horse-battery";
const settings = (): Record<string, string> => ({ AUTH_TOKENS: `alice:${TOKEN}` });
// What Chromium itself says of a handshake that was refused, and of every page without TLS.
const expected =
  /^WebSocket connection to|^Failed to load resource|^The Cross-Origin-Opener-Policy/;

consoleTest("a token is asked for, wrong ones are told, and the right one is used", async (
  { page, reached, send },
) => {
  const verdict = page.getByRole("alert");
  await verdict.getByText("A token is needed").waitFor();
  await verdict.getByText("AUTH_TOKENS").waitFor();
  await page.getByLabel("Token").fill("wrong-token");
  await page.getByLabel("Token").press("Enter");
  await verdict.getByText("The token does not count").waitFor();
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await reached("open");
  await page.locator("#identity").getByText("as alice").waitFor();
  await page.locator("#access").waitFor({ state: "hidden" });
  assertEquals(await verdict.count(), 0);
  await send("/json");
  await page.getByRole("tree", { name: "JSON" }).waitFor();
}, { settings, expected, state: "refused" });

consoleTest("a token is in no storage, no history, no link and no page", async (
  { page, reached, send, service },
) => {
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByLabel("Token").press("Enter");
  await reached("open");
  await page.locator("#add-header").click();
  await page.getByLabel("Header name").fill("x-note");
  await page.getByLabel("Value of x-note").fill(`it is ${TOKEN}`);
  await send(`/json?a=${TOKEN}`);
  await page.getByRole("tree", { name: "JSON" }).waitFor();
  const stored = await page.evaluate<string>(
    "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])",
  );
  assert(stored.includes("/json?a="), "the request is in the history");
  assertEquals(stored.includes(TOKEN), false);
  await page.locator("#share").click();
  const link = await page.locator("#dialog textarea").inputValue();
  const [, fragment = ""] = link.split("#request=");
  const text = new TextDecoder().decode(Uint8Array.fromBase64(fragment, { alphabet: "base64url" }));
  assert(text.includes("x-note"));
  assertEquals(text.includes(TOKEN), false);
  await page.keyboard.press("Escape");
  await page.goto(service.origin);
  await reached("refused");
}, { settings, expected, state: "refused" });

consoleTest("a token can be forgotten, and the connection closed and opened", async (
  { page, reached },
) => {
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByLabel("Token").press("Enter");
  await reached("open");
  await page.locator("#status").click();
  await page.locator("#disconnect").click();
  await reached("off");
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await reached("open");
  await page.locator("#status").click();
  await page.locator("#token-forget").click();
  await reached("refused");
  await page.getByRole("alert").getByText("A token is needed").waitFor();
  assertEquals(await page.locator("#token-forget").isVisible(), false);
}, { settings, expected, state: "refused" });

consoleTest("a refused origin is told, with the setting that lets it in", async (
  { page, service, reached },
) => {
  // A name that was rebound to the loopback interface is foreign to a service that listens there.
  const origin = `http://console.test:${service.port}`;
  await page.goto(origin);
  await reached("refused");
  const verdict = page.getByRole("alert");
  await verdict.getByText("origin_not_allowed").waitFor();
  const [setting = ""] = /[A-Z_]+=\S+/.exec(await verdict.innerText()) ?? [];
  assertEquals(setting, `ALLOWED_ORIGINS=${origin}`);
}, { expected });

consoleTest("an origin that is listed is let in", async ({ page, service, reached, send }) => {
  await page.goto(`http://console.test:${service.port}`);
  await reached("open");
  await send("/json");
  await page.getByRole("tree", { name: "JSON" }).waitFor();
}, { settings: () => ({ ALLOWED_ORIGINS: "*" }), expected });

consoleTest("what is sent while there is no way in says why", async ({ page, send }) => {
  await send("/json");
  const failure = page.getByRole("group", { name: "Failure" });
  await failure.getByText("unauthorized").waitFor();
  await failure.getByText("sent: no").waitFor();
  await failure.getByText("Enter a token").waitFor();
}, { settings, expected, state: "refused" });

consoleTest("a lost connection is told, and opened again when there is a way", async (
  { page, service, target, reached, send },
) => {
  await using cable = startCable(service.port);
  await page.goto(cable.origin);
  await reached("open");
  const { asked } = target.nextStream();
  await send("/stream", { method: "POST" });
  await asked;
  cable.unplug();
  const failure = page.getByRole("group", { name: "Failure" });
  await failure.getByText("connection_terminated").waitFor();
  await failure.getByText("sent: maybe").waitFor();
  await page.getByRole("alert").getByText("The service cannot be reached").waitFor();
  await page.locator("#tab-connection").click();
  await page.locator("#panel-connection").getByText("connection 1 closed: 1006").waitFor();
  cable.plug();
  await reached("open");
  assertEquals(await page.getByRole("alert").count(), 0);
  await page.locator("#panel-connection dl > div").filter({ hasText: "Reconnects" })
    .getByText("1", { exact: true }).waitFor();
  await send("/json", { method: "GET" });
  await page.getByRole("tree", { name: "JSON" }).waitFor();
}, { expected });
