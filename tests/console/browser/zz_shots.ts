import { chromium } from "playwright-core";
import { startService } from "/work/main/tests/helpers/service.ts";
import { startHttp } from "/work/main/tests/helpers/upstream.ts";
const ITEM = `{"total": 3, "next": null, "items": [
 {"id": 12345678901234567890, "name": "Lantern, brass", "price": 40.0, "stock": 17, "tags": ["outdoor", "light"], "size": {"width": 12.5, "height": 30.0, "unit": "cm"}},
 {"id": 12345678901234567891, "name": "Rope, 20 m", "price": 12.50, "stock": 0, "tags": ["outdoor"]},
 {"id": 12345678901234567892, "name": "Café press", "price": 1e2, "stock": 4, "tags": []}]}`;
const wait = (ms: number) => new Promise((r) => setTimeout(r, ms));
const PNG = Uint8Array.fromBase64("iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAAFUlEQVR4nGP4z8DAAMQM//8zMDAwAAAe9AP9Yx3vzAAAAABJRU5ErkJggg==");
await using shop = startHttp(async (r) => {
  const u = new URL(r.url); const ms = Number(u.searchParams.get("ms") ?? 0);
  if (u.pathname.startsWith("/image")) return new Response(PNG, {headers:{"content-type":"image/png"}});
  if (u.pathname.startsWith("/missing")) return Response.json({ error: "no such item" }, { status: 404 });
  if (u.pathname.startsWith("/bytes")) return new Response(Uint8Array.from({length:500},(_, i)=>i));
  if (u.pathname.startsWith("/export")) {
    return new Response(new ReadableStream({ async pull(c) { await wait(40); try { c.enqueue(new TextEncoder().encode("row,with,some,values\n".repeat(400))); } catch {} } }), { headers: { "content-type": "text/csv" } });
  }
  if (u.pathname.startsWith("/events")) {
    let n = 0;
    return new Response(new ReadableStream({ async pull(c) { await wait(60); n++; try { c.enqueue(new TextEncoder().encode(`event: token\nid: ${n}\ndata: {"text": "word ${n}", "n": ${n}}\n\n`)); } catch {} } }), { headers: { "content-type": "text/event-stream" } });
  }
  await wait(ms);
  return new Response(ITEM, { headers: { "content-type": "application/json", "cache-control": "no-store", "x-request-id": "b7e1" , etag: '"33a64df5"'} });
});
const up = (env: object = {}) => JSON.stringify({ shop: { baseUrl: shop.origin, ...env } });
await using service = startService({ ALLOW_HOSTS: "127.0.0.1:*,localhost:*", UPSTREAMS: up(), AUTH_TOKENS: "alice:correct-horse" });
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const out = Deno.args[0] ?? "/tmp/h/shots";
const only = Deno.args[1];
for (const [w, h] of [[360, 740], [1280, 800], [1920, 1080]] as const) for (const scheme of ["light", "dark"] as const) {
  const ctx = await browser.newContext({ viewport: { width: w, height: h }, colorScheme: scheme });
  const page = await ctx.newPage();
  page.on("console", (m) => console.log("console:", m.text()));
  page.on("pageerror", (m) => console.log("error:", m.message));
  let n = 0;
  const shot = async (name: string) => { await wait(120); if (only && !name.includes(only)) return; await page.screenshot({ path: `${out}/${w}-${scheme}-${String(++n).padStart(2,"0")}-${name}.png`, fullPage: w === 360 }); };
  await page.goto(service.origin);
  await page.locator('#status[data-state="refused"]').waitFor();
  await shot("refused");
  await page.locator("#token").fill("correct-horse"); await page.locator("#token-connect").click();
  await page.locator('#status[data-state="open"]').waitFor();
  await shot("empty");
  const send = async (url: string, o: { method?: string; mode?: string; upstream?: string; times?: number } = {}) => {
    await page.locator("#upstream").selectOption(o.upstream ?? "shop");
    await page.locator("#method").selectOption(o.method ?? "GET");
    await page.locator("#mode").selectOption(o.mode ?? "whole");
    await page.locator("#times").fill(String(o.times ?? 1));
    await page.locator("#url").fill(url);
    await page.locator("#send").click();
  };
  await send("/items?ms=90");
  await page.getByRole("tree", { name: "JSON" }).getByText("40.0").waitFor();
  await send("/items/1?ms=220"); await send("/items/2?ms=160"); await send("/missing");
  await send("http://192.168.0.1/admin", { upstream: "" });
  await page.getByRole("group", { name: "Failure" }).waitFor();
  await shot("failure");
  await send("/items?ms=60&page=2", { times: 5 });
  await wait(250);
  await send("/events", { mode: "events" });
  await wait(500);
  await shot("events");
  await page.getByRole("listbox", {name: "Events"}).getByRole("option").nth(2).click();
  await shot("event-detail");
  await send("/export", { mode: "chunks" });
  await wait(400);
  await shot("chunks");
  await page.locator("#tab-answer-timing").click(); await shot("timing");
  await page.locator("#tab-connection").click(); await shot("connection");
  await page.locator("#tab-frames").click(); await page.getByRole("listbox", {name:"Frames", exact: true}).getByRole("option").nth(1).click(); await shot("frames");
  await page.locator("#tab-history").click(); await shot("history");
  await page.locator("#tab-exchanges").click();
  await page.locator("#tab-answer-body").click();
  await page.locator("#tab-body").click();
  await page.locator("#method").selectOption("POST");
  await page.check('input[name=body-kind][value=json]', {force:true});
  await page.locator("#body-text").fill('{"name": "Lantern",\n "price": 1.0,\n}');
  await shot("body-fault");
  await page.locator("#body-text").fill('{"name": "Lantern", "price": 1.0}');
  await page.locator("#format-body").click();
  await page.locator("#tab-headers").click();
  await page.locator("#add-header").click(); await page.keyboard.type("authorization"); await page.keyboard.press("Tab"); await page.keyboard.type("Bearer xyzabcdef");
  await page.locator("#add-header").click(); await page.keyboard.type("accept"); await page.keyboard.press("Tab"); await page.keyboard.type("application/json");
  await send("/items?ms=700", {method: "POST"});
  await page.getByRole("listbox", { name: "Exchanges" }).getByRole("option").first().click().catch(()=>{});
  await page.getByRole("tree", { name: "JSON" }).waitFor();
  await shot("json");
  await page.locator("#tab-answer-fields").click(); await shot("fields");
  await page.locator("#tab-answer-frames").click(); await shot("answer-frames");
  await page.locator("#tab-answer-body").click();
  await page.locator("#copy-as").click(); await shot("copy"); await page.keyboard.press("Escape");
  await page.locator("#share").click(); await shot("share"); await page.keyboard.press("Escape");
  await page.locator('#tab-body').click(); await page.check('input[name=body-kind][value=none]', {force:true}); await send("/bytes"); await page.getByRole("region", {name: "Bytes in hexadecimal"}).waitFor(); await shot("hex");
  await send("/image"); await page.locator("img").waitFor(); await shot("image");
  await page.locator("#status").click(); await shot("access");
  await ctx.close();
}
await browser.close();
Deno.exit(0);
