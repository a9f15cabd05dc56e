/**
 * Access: tokens, origins, refused handshakes and lost connections.
 */
import { assert, assertEquals } from "@std/assert";
import { startCable } from "./cable.ts";
import { createConsoleTest } from "./console.ts";

const consoleTest = createConsoleTest();
const TOKEN = "correct-horse-battery";
const settings = (): Record<string, string> => ({ AUTH_TOKENS: `alice:${TOKEN}` });
// Messages of Chromium about refused handshakes and pages without TLS.
const expected =
  /^WebSocket connection to|^Failed to load resource|^The Cross-Origin-Opener-Policy/;

consoleTest("the page requires a token, rejects a wrong one and connects with a valid one", async (
  { page, reached, send },
) => {
  const message = page.getByRole("alert");
  await message.getByText("A token is required").waitFor();
  await message.getByText("AUTH_TOKENS").waitFor();
  await page.getByLabel("Token").fill("wrong-token");
  await page.getByLabel("Token").press("Enter");
  await message.getByText("The token is not valid").waitFor();
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  await reached("open");
  await page.locator("#identity").getByText("as alice").waitFor();
  await page.locator("#access").waitFor({ state: "hidden" });
  assertEquals(await message.count(), 0);
  await send("/json");
  await page.getByRole("tree", { name: "JSON" }).waitFor();
}, { settings, expected, state: "refused" });

consoleTest("the token is not in storage, history, links or a new page", async (
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

consoleTest("the token can be removed, and the connection closed and opened", async (
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
  await page.getByRole("alert").getByText("A token is required").waitFor();
  assertEquals(await page.locator("#token-forget").isVisible(), false);
}, { settings, expected, state: "refused" });

consoleTest("a refused origin is shown with the setting that allows it", async (
  { page, service, reached },
) => {
  // A service on the loopback interface refuses other names that resolve to it (DNS rebinding).
  const origin = `http://console.test:${service.port}`;
  await page.goto(origin);
  await reached("refused");
  const message = page.getByRole("alert");
  await message.getByText("origin_not_allowed").waitFor();
  const [setting = ""] = /[A-Z_]+=\S+/.exec(await message.innerText()) ?? [];
  assertEquals(setting, `ALLOWED_ORIGINS=${origin}`);
}, { expected });

consoleTest("a listed origin is accepted", async ({ page, service, reached, send }) => {
  await page.goto(`http://console.test:${service.port}`);
  await reached("open");
  await send("/json");
  await page.getByRole("tree", { name: "JSON" }).waitFor();
}, { settings: () => ({ ALLOWED_ORIGINS: "*" }), expected });

consoleTest(
  "a request without access fails with the reason of the refusal",
  async ({ page, send }) => {
    await send("/json");
    const failure = page.getByRole("group", { name: "Failure" });
    await failure.getByText("unauthorized").waitFor();
    await failure.getByText("sent: no").waitFor();
    await failure.getByText("Enter a token").waitFor();
  },
  { settings, expected, state: "refused" },
);

consoleTest("a lost connection is shown, and reopened when the service can be reached", async (
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
