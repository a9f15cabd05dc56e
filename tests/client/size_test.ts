import { assert } from "@std/assert";
import { gzipSync } from "node:zlib";

const MAX_BYTES = 8 * 1024;

Deno.test("the client takes at most 8 KiB, bundled, minified and gzipped", async () => {
  const bundle = await Deno.makeTempFile({ suffix: ".js" });
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", "--minify", "--platform=browser", "--output", bundle, "src/client/mod.ts"],
      cwd: new URL("../../", import.meta.url),
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    const { byteLength } = gzipSync(await Deno.readFile(bundle), { level: 9 });
    assert(byteLength <= MAX_BYTES, `${byteLength} bytes`);
  } finally {
    await Deno.remove(bundle);
  }
});
