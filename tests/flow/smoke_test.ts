import { assertEquals } from "@std/assert";
import { connectPlain, connectV1 } from "../helpers/client.ts";
import { startService } from "../helpers/service.ts";
import { startHttp } from "../helpers/upstream.ts";

Deno.test("a request goes through, in both dialects", async () => {
  await using upstream = startHttp(() => Response.json({ one: 1 }));
  await using service = startService();
  await using plain = await connectPlain(service.url);
  const answer = await plain.ask({ url: upstream.origin, method: "GET" });
  assertEquals(answer.content, { one: 1 });
  await using v1 = await connectV1(service.url);
  const frame = await v1.ask({ type: "request", id: 1, url: upstream.origin });
  assertEquals([frame.id, frame.status, frame.json], [1, 200, { one: 1 }]);
});
