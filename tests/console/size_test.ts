import { assert } from "@std/assert";
import { startService } from "../helpers/service.ts";

const MAX_BYTES = 60_000;
const PATHS = ["/", "/console/console.css", "/console/main.js"];

for (const coding of ["br", "gzip"]) {
  Deno.test(`the console takes at most 60 kB in ${coding}, including response heads`, async () => {
    await using service = startService();
    // fetch() decodes bodies and does not report how many bytes were transferred.
    const sizes = await Promise.all(PATHS.map(async (path) => {
      using connection = await Deno.connect({ port: service.port });
      const head =
        `GET ${path} HTTP/1.1\r\nhost: localhost\r\naccept-encoding: ${coding}\r\nconnection: close\r\n\r\n`;
      await connection.write(new TextEncoder().encode(head));
      let size = 0;
      for await (const { byteLength } of connection.readable) size += byteLength;
      assert(size > 1000, `${path} is there`);
      return size;
    }));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    assert(bytes <= MAX_BYTES, `${bytes} bytes: ${sizes.join(" + ")}`);
  });
}
