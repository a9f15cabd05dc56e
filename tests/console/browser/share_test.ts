/**
 * Links to requests, and copies of requests in other formats.
 */
import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { createConsoleTest } from "./console.ts";

const consoleTest = createConsoleTest();
const BODY = '{\n  "id": 12345678901234567890,\n  "price": 1.0,\n  "text": "it\'s \\"$HOME\\""\n}';
const COMPACT = '{"id":12345678901234567890,"price":1.0,"text":"it\'s \\"$HOME\\""}';

async function edit(page: Page, url: string): Promise<void> {
  await page.locator("#method").selectOption("POST");
  await page.locator("#url").fill(url);
  await page.locator("#add-header").click();
  await page.getByLabel("Header name").fill("x-note");
  await page.getByLabel("Value of x-note").fill("it's");
  await page.locator("#tab-body").click();
  await page.check('[name="body-kind"][value="json"]', { force: true });
  await page.locator("#body-text").fill(BODY);
}

async function copyAs(page: Page, format: string): Promise<string> {
  await page.locator("#copy-as").click();
  await page.check(`[name="copy-format"][value="${format}"]`, { force: true });
  await page.locator("#dialog").getByRole("button", { name: "Copy", exact: true }).click();
  await page.locator("#dialog").getByRole("button", { name: "Copied" }).waitFor();
  await page.keyboard.press("Escape");
  return await page.evaluate<string>("navigator.clipboard.readText()");
}

consoleTest("a link loads a request into the editor and does not send it", async (
  { page, target, reached },
) => {
  await edit(page, `${target.origin}/echo?page=2&api_key=abcdef-secret`);
  await page.locator("#tab-headers").click();
  await page.locator("#add-header").click();
  await page.getByLabel("Header name").last().fill("authorization");
  await page.getByLabel("Value of authorization").fill("Bearer zyxwvu-secret");
  await page.locator("#share").click();
  const dialog = page.getByRole("dialog", { name: "Share" });
  await dialog.getByText("the header authorization").waitFor();
  await dialog.getByText("the parameter api_key").waitFor();
  const link = await dialog.getByLabel("Link to the request").inputValue();
  const before = target.requests.length;
  await page.goto("about:blank");
  await page.goto(link);
  await reached("open");
  await page.locator("#link-notice").getByText("was loaded from the link").waitFor();
  assertEquals(await page.locator("#url").inputValue(), `${target.origin}/echo?page=2&api_key=`);
  assertEquals(await page.locator("#body-text").inputValue(), BODY);
  assertEquals(new URL(page.url()).hash, "", "a reload does not load the request again");
  assertEquals(target.requests.length, before, "nothing is sent automatically");
  await page.locator("#send").click();
  await page.getByRole("tree", { name: "JSON" }).getByText("12345678901234567890").waitFor();
  assertEquals(target.lastHeaders().get("x-note"), "it's");
});

for (
  const { format, protocol, body } of [
    { format: "v1", protocol: "wsfetch.v1", body: `,"json":${COMPACT}}` },
    { format: "plain", protocol: undefined, body: `,"content":${COMPACT}}` },
  ]
) {
  consoleTest(
    `a copied ${format} frame works in a WebSocket`,
    async ({ page, service, target }) => {
      await edit(page, `${target.origin}/echo`);
      const frame = await copyAs(page, format);
      const messages = await converse(service.url, { frame, protocol });
      assert(messages.some((message) => message.endsWith(body)), messages.join("\n"));
      assertEquals(target.lastHeaders().get("x-note"), "it's");
    },
  );
}

consoleTest("copied client code works as a module", async ({ page, target }) => {
  await edit(page, `${target.origin}/echo`);
  assertEquals(await runModule(await copyAs(page, "client")), `200 ${BODY}`);
});

consoleTest("copied client code reads events", async ({ page, target }) => {
  const stream = target.nextStream();
  stream.push("event: token\ndata: one\n\n");
  await page.locator("#url").fill(`${target.origin}/stream?type=events`);
  await page.locator("#mode").selectOption("events");
  assertEquals(await runModule(await copyAs(page, "client")), "token one");
});

const hasCurl = await has("curl");
// deno-lint-ignore no-console -- reports what was not tested
if (!hasCurl) console.log("There is no curl on the PATH: the copied command is not tested");
if (hasCurl) {
  consoleTest("a copied curl command works in a shell", async ({ page, target }) => {
    await edit(page, `${target.origin}/echo?a[]=1`);
    const command = await copyAs(page, "curl");
    const { stdout } = await new Deno.Command("sh", { args: ["-c", command] }).output();
    assertEquals(new TextDecoder().decode(stdout), BODY);
    assertEquals(target.requests.at(-1), `POST ${target.origin}/echo?a[]=1`);
    assertEquals(target.lastHeaders().get("x-note"), "it's");
  });
}

/** Sends a frame and returns the messages up to the response. */
async function converse(
  url: string,
  { frame, protocol }: { readonly frame: string; readonly protocol: string | undefined },
): Promise<readonly string[]> {
  const socket = new WebSocket(url, protocol === undefined ? [] : [protocol]);
  const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
  const messages: string[] = [];
  socket.onopen = () => socket.send(frame);
  socket.onerror = () => reject(new Error("The WebSocket failed"));
  socket.onmessage = ({ data }) => {
    messages.push(String(data));
    if (!String(data).startsWith('{"type":"hello"')) resolve(messages);
  };
  try {
    return await promise;
  } finally {
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
  }
}

/** Runs a module in a process without the configuration of this project. Returns its first output. */
async function runModule(code: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/main.js`, code);
    await using process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", "--allow-net=127.0.0.1", "--allow-import", `${folder}/main.js`],
      env: { DENO_DIR: `${folder}/cache`, NO_COLOR: "1" },
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let text = "";
    for await (const part of process.stdout.pipeThrough(new TextDecoderStream())) {
      text += part;
      // The process does not exit, since the client keeps its connection.
      if (text.endsWith("\n")) break;
    }
    return text.trimEnd();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function has(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["--version"], stdout: "null" }).output())
      .success;
  } catch {
    return false;
  }
}
