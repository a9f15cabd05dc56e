/**
 * The console as the service serves it, or not.
 */
import { assertEquals } from "@std/assert";
import { startService } from "../../helpers/service.ts";

Deno.test("CONSOLE=off leaves no page, and the service works", async () => {
  await using service = startService({ CONSOLE: "off" });
  for (const path of ["/", "/console/main.js", "/console/console.css"]) {
    const response = await fetch(service.origin + path);
    await response.body?.cancel();
    assertEquals([path, response.status], [path, 404]);
  }
  const response = await fetch(`${service.origin}/healthz`);
  await response.body?.cancel();
  assertEquals(response.status, 200);
});
