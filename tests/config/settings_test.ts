import { assert } from "@std/assert";
import { SETTINGS } from "../../src/config/setting_docs.ts";

Deno.test("SETTINGS are the rows of the table in README.md", async () => {
  const rows = SETTINGS.map(({ name, default: text, description }) =>
    `| \`${name}\` | ${text === "" ? "*empty*" : `\`${text}\``} | ${description} |`
  );
  const table = ["| Setting | Default | Meaning |", "| --- | --- | --- |", ...rows].join("\n");
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url)).catch(() =>
    ""
  );
  const [, found = ""] = /<!-- settings -->\s+(.*?)\s+<!-- \/settings -->/s.exec(readme) ?? [];
  // `deno fmt` pads the columns and writes emphasis with underscores.
  const bare = found.replace(/ {2,}/g, " ").replace(/-{3,}/g, "---").replaceAll(
    "_empty_",
    "*empty*",
  );
  assert(bare === table, `README.md must have, between its settings marks:\n\n${table}\n`);
});
