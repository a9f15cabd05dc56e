/**
 * Several services in one process, each on a port of its own: what is measured of them cannot differ by the
 * process. The argument is a list of their settings, as JSON.
 *
 * @module
 */
import { createApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config/config.ts";

const [settings = "[]"] = Deno.args;
const all: readonly Readonly<Record<string, string>>[] = JSON.parse(settings);

for (const config of all.map((each) => parseConfig(each))) {
  const { HOST: hostname, PORT: port } = config;
  Deno.serve({ hostname, port, onListen: () => {} }, createApp(config).handler);
}
