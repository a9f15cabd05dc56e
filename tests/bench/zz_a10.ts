import { startProcess } from "../helpers/process.ts";
import { connectRaw, rawFrame, TEXT } from "../helpers/raw_client.ts";
await using service = await startProcess({});
const n = 200;
const fds = () => [...Deno.readDirSync(`/proc/${service.pid}/fd`)].length;
const f0 = fds();
const clients = await Promise.all(Array.from({ length: n }, () => connectRaw(service.port, { "sec-websocket-protocol": "wsfetch.v1" })));
console.log("open, fds +", fds() - f0);
for (const c of clients) for (let i = 0; i < 16; i++) await c.write(rawFrame(TEXT, "{"));
for (let s = 1; s <= 4; s++) { await new Promise((r) => setTimeout(r, 1000)); console.log(s, "s after the Close frames: fds +", fds() - f0); }
for (const c of clients) c[Symbol.dispose]();
