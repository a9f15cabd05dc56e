import { assertEquals } from "@std/assert";
import { type Config, formatSettings, parseConfig } from "../../src/config/config.ts";
import { SETTINGS } from "../../src/config/setting_docs.ts";
import { parseHostRule } from "../../src/policy/destination.ts";
import { findProblems } from "./problems.ts";

Deno.test("parseConfig() returns the default of every setting", () => {
  const { ALLOW_HOSTS, ...rest } = parseConfig({});
  assertEquals(ALLOW_HOSTS, [parseHostRule("public")]);
  assertEquals(rest, {
    HOST: "127.0.0.1",
    PORT: 8000,
    WORKERS: 1,
    DENY_HOSTS: [],
    ALLOW_PORTS: [80, 443],
    ALLOW_METHODS: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    HTTP_CLIENT: "direct",
    CONNECT_TIMEOUT_MS: 10_000,
    HOST_CONNECTIONS: 256,
    HTTP_PROXY: undefined,
    HTTPS_PROXY: undefined,
    ALL_PROXY: undefined,
    NO_PROXY: "",
    UPSTREAMS: "",
    AUTH: "",
    AUTH_TOKENS: [],
    AUTH_GRACE_MS: 30_000,
    JWT_JWKS_URL: undefined,
    JWT_SECRET: "",
    JWT_ISSUER: "",
    JWT_AUDIENCE: "",
    JWT_ALGORITHMS: [],
    TRUST_PROXY: 0,
    LIMIT_CONNECTIONS: "auto",
    LIMIT_IN_FLIGHT: 0,
    LIMIT_REQUESTS_PER_SECOND: 0,
    LIMIT_REQUEST_BURST: 0,
    LIMIT_BYTES_PER_MINUTE: 0,
    ALLOWED_ORIGINS: [],
    MEMORY_BYTES: undefined,
    MAX_FRAME_BYTES: 1_048_576,
    MAX_REQUEST_BYTES: 1_048_576,
    MAX_RESPONSE_BYTES: 8_388_608,
    MAX_STREAM_BYTES: Number.MAX_SAFE_INTEGER,
    WINDOW_BYTES: 262_144,
    MAX_IN_FLIGHT: 64,
    MAX_CONNECTIONS: 10_000,
    REQUEST_TIMEOUT_MS: 30_000,
    MAX_TIMEOUT_MS: 300_000,
    STREAM_IDLE_MS: 300_000,
    SEND_BUFFER_BYTES: 262_144,
    SEND_TIMEOUT_MS: 30_000,
    DRAIN_MS: 10_000,
    METRICS: "on",
    CONSOLE: "on",
    LOG_LEVEL: "info",
    LOG_FORMAT: "json",
  });
});

Deno.test("parseConfig() returns the defaults for the texts that are documented as defaults", () => {
  const env = Object.fromEntries(SETTINGS.map(({ name, default: text }) => [name, text]));
  assertEquals(parseConfig(env), parseConfig({}));
});

Deno.test("parseConfig() ignores other variables", () => {
  assertEquals(
    parseConfig({ PATH: "/bin", port: "x", wsfetch_x: "y", WSFETCH: "z" }),
    parseConfig({}),
  );
});

const READ: readonly { name: keyof Config; input: string; expected: unknown }[] = [
  { name: "CONSOLE", input: "off", expected: "off" },
  { name: "HOST", input: "::1", expected: "::1" },
  { name: "AUTH", input: "none", expected: "none" },
  { name: "TRUST_PROXY", input: "2", expected: 2 },
  { name: "PORT", input: "65535", expected: 65535 },
  { name: "WORKERS", input: "256", expected: 256 },
  { name: "WORKERS", input: "auto", expected: "auto" },
  { name: "ALLOW_HOSTS", input: "", expected: [] },
  { name: "DENY_HOSTS", input: " ,public, ,", expected: [parseHostRule("public")] },
  { name: "DENY_HOSTS", input: "a.b, c", expected: [parseHostRule("a.b"), parseHostRule("c")] },
  { name: "ALLOW_PORTS", input: "1, 65535", expected: [1, 65535] },
  { name: "ALLOW_PORTS", input: "", expected: [] },
  { name: "ALLOW_METHODS", input: "get, Purge,X-9", expected: ["GET", "PURGE", "X-9"] },
  { name: "ALLOWED_ORIGINS", input: "*", expected: ["*"] },
  {
    name: "ALLOWED_ORIGINS",
    input: "http://a:81,https://b",
    expected: ["http://a:81", "https://b"],
  },
  { name: "ALLOWED_ORIGINS", input: "https://*.a.test:8443", expected: ["https://*.a.test:8443"] },
  { name: "MAX_REQUEST_BYTES", input: "0", expected: 0 },
  { name: "MAX_TIMEOUT_MS", input: "2147483647", expected: 2147483647 },
  { name: "LOG_LEVEL", input: "off", expected: "off" },
  { name: "LOG_FORMAT", input: "pretty", expected: "pretty" },
];

for (const { name, input, expected } of READ) {
  Deno.test(`parseConfig() reads ${name}=${JSON.stringify(input)}`, () => {
    assertEquals(parseConfig({ [name]: input })[name], expected);
  });
}

Deno.test("parseConfig() chooses direct, and on Deno Deploy fetch, unless HTTP_CLIENT is set", () => {
  const clientOf = (env: Record<string, string>): string => parseConfig(env).HTTP_CLIENT;
  assertEquals(clientOf({ HTTP_PROXY: "http://proxy.example", HTTP_CLIENT: "" }), "direct");
  assertEquals(clientOf({ DENO_SERVE_ADDRESS: "tcp:0:1", AUTH: "none" }), "direct");
  for (const name of ["DENO_DEPLOYMENT_ID", "DENO_DEPLOY"]) {
    assertEquals(clientOf({ [name]: "1", AUTH: "none" }), "fetch");
    assertEquals(clientOf({ [name]: "1", AUTH: "none", HTTP_CLIENT: "direct" }), "direct");
  }
});

Deno.test("parseConfig() reads the proxies in both spellings", () => {
  const { HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY } = parseConfig({
    http_proxy: "proxy.example:3128",
    HTTPS_PROXY: "https://me:a%40b@proxy.example",
    https_proxy: "http://other.example",
    no_proxy: "a.example",
  });
  assertEquals(HTTP_PROXY, { url: "http://proxy.example:3128", basicAuth: undefined });
  assertEquals(HTTPS_PROXY, {
    url: "https://proxy.example",
    basicAuth: { username: "me", password: "a@b" },
  });
  assertEquals([ALL_PROXY, NO_PROXY], [undefined, "a.example"]);
});

Deno.test("parseConfig() refuses a password that fetch would send to a destination, or not to the proxy", () => {
  const password = "me:secret@a.example";
  const rows: readonly [env: Record<string, string>, expected: readonly string[]][] = [
    [{ HTTP_PROXY: `http://${password}` }, []],
    [{ HTTP_PROXY: `https://${password}` }, ["HTTP_PROXY"]],
    [{ HTTPS_PROXY: `http://${password}` }, ["HTTPS_PROXY"]],
    [{ HTTPS_PROXY: `https://${password}` }, []],
    [{ ALL_PROXY: `http://${password}` }, ["ALL_PROXY"]],
    [{ ALL_PROXY: `https://${password}` }, ["ALL_PROXY"]],
    [{ ALL_PROXY: `socks5://${password}` }, []],
    [{ ALL_PROXY: `http://${password}`, HTTPS_PROXY: "http://a.example" }, []],
  ];
  for (const [env, expected] of rows) {
    if (expected.length === 0) {
      parseConfig(env);
      continue;
    }
    const problems = findProblems(env);
    assertEquals(problems.map((problem) => problem.split(":")[0]), expected);
    assertEquals(problems.filter((problem) => problem.includes("secret")), []);
  }
});

Deno.test("parseConfig() refuses a proxy that fetch cannot use, without repeating its password", () => {
  for (const value of ["socks4://me:secret@a.example", "http://", "ftp://a.example", "a b"]) {
    const [problem = "", ...more] = findProblems({ all_proxy: value });
    assertEquals([problem.startsWith("ALL_PROXY: must be the URL of a proxy"), more], [true, []]);
    assertEquals(problem.includes("secret"), false);
  }
});

const NUMBERS = {
  PORT: "0 65535",
  MAX_FRAME_BYTES: "1024 67108864",
  MAX_REQUEST_BYTES: "0 67108864",
  MAX_RESPONSE_BYTES: "0 67108864",
  MAX_IN_FLIGHT: "1 100000",
  MAX_CONNECTIONS: "1 10000000",
  REQUEST_TIMEOUT_MS: "1 2147483647",
  MAX_TIMEOUT_MS: "1 2147483647",
  SEND_BUFFER_BYTES: "1024 67108864",
  SEND_TIMEOUT_MS: "1 2147483647",
  AUTH_GRACE_MS: "0 2147483647",
  TRUST_PROXY: "0 100",
  LIMIT_IN_FLIGHT: "0 10000000",
  LIMIT_REQUESTS_PER_SECOND: "0 10000000",
  LIMIT_REQUEST_BURST: "0 10000000",
  LIMIT_BYTES_PER_MINUTE: "0 9007199254740991",
  DRAIN_MS: "0 2147483647",
};

for (const [name, range] of Object.entries(NUMBERS)) {
  Deno.test(`parseConfig() refuses a value of ${name} that is not a number in its range`, () => {
    const [min = "", max = ""] = range.split(" ");
    const outside = [String(BigInt(min) - 1n), String(BigInt(max) + 1n)];
    const odd = ["", " ", "x", "1.5", "+1", "1e3", "0x1", "1_000", " 8000", "٣", "9".repeat(400)];
    for (const value of [...outside, ...odd]) {
      const problem = `${name}: must be a whole number from ${min} to ${max}`;
      assertEquals(findProblems({ [name]: value }), [problem]);
    }
  });
}

const NO_RULE = "is not a rule; write public, or a host like api.example.com or *.example.com";
const NO_ORIGIN = "is not an origin; write one like https://app.example.com";
const WRONG: readonly { name: keyof Config; input: string; expected: string }[] = [
  { name: "HOST", input: "|", expected: "must be an address or a name" },
  ...["", "0", "257", "1.5", "-1", "Auto", "1e1"].map((value) => ({
    name: "WORKERS" as const,
    input: `${value}|`,
    expected: "must be auto or a whole number from 1 to 256",
  })),
  ...["", "10000001", "-1", "none"].map((value) => ({
    name: "LIMIT_CONNECTIONS" as const,
    input: `${value}|`,
    expected: "must be auto or a whole number from 0 to 10000000",
  })),
  { name: "ALLOW_HOSTS", input: "a.test,10.0.0.0/33|10.0.0.0/33", expected: NO_RULE },
  { name: "DENY_HOSTS", input: "http://a.test|http://a.test", expected: NO_RULE },
  { name: "ALLOW_PORTS", input: "80,65536|65536", expected: "is not a port from 1 to 65535" },
  { name: "ALLOW_METHODS", input: ",|", expected: "must name at least one method" },
  { name: "ALLOW_METHODS", input: "GET,trace|trace", expected: "is not a method that" },
  { name: "ALLOW_METHODS", input: "GET,CONNECT|CONNECT", expected: "is not a method that" },
  { name: "ALLOW_METHODS", input: "GET POST|GET POST", expected: "is not a method that" },
  { name: "ALLOWED_ORIGINS", input: "https://a.test,b.test|b.test", expected: NO_ORIGIN },
  { name: "AUTH", input: "yes|", expected: "must be none, or empty" },
  { name: "HTTP_CLIENT", input: "FETCH|", expected: "must be direct, fetch, or empty" },
  { name: "JWT_JWKS_URL", input: "keys|", expected: "must be an https URL, or an http URL whose" },
  { name: "JWT_JWKS_URL", input: "http://a.test/|", expected: "must be an https URL" },
  { name: "JWT_JWKS_URL", input: "http://8.8.8.8/|", expected: "must be an https URL" },
  { name: "LOG_LEVEL", input: "INFO|", expected: "must be one of debug, info, warn, error, off" },
  { name: "CONSOLE", input: "yes|", expected: "must be one of on, off" },
  { name: "LOG_FORMAT", input: "|", expected: "must be one of json, pretty" },
];

// `input`: the value, and the part of the value that the message quotes.
for (const { name, input, expected } of WRONG) {
  const [value = "", quoted] = input.split("|");
  Deno.test(`parseConfig() refuses ${name}=${JSON.stringify(value)}`, () => {
    const [problem = "", ...more] = findProblems({ [name]: value });
    const start = `${name}: ${quoted ? `${JSON.stringify(quoted)} ` : ""}${expected}`;
    assertEquals([problem.slice(0, start.length), more], [start, []]);
  });
}

Deno.test("parseConfig() refuses text in ALLOWED_ORIGINS that no browser sends as an origin", () => {
  const stars = [
    "https://*",
    "https://a*.test",
    "https://a.*",
    "https://*.*.a.test",
    "https://*.",
    "**",
  ];
  const others = ["null", "https://a.test/", "https://a.test:443", "https://A.test", "//a.test"];
  for (const text of [...stars, ...others, "https://u@a.test", "https://a.test?x", "file:///"]) {
    assertEquals(findProblems({ ALLOWED_ORIGINS: text }).length, 1);
  }
});

Deno.test("parseConfig() lists every problem, and the names with WSFETCH_ that are not settings", () => {
  const env = {
    WSFETCH_PORT: "1",
    PORT: "x",
    WSFETCH_: "",
    DENY_HOSTS: "a b,c,d e",
    WSFETCH_X: "",
  };
  const lines = findProblems(env).map((line) => line.split("; write")[0]);
  assertEquals(lines, [
    "WSFETCH_PORT: is not a setting; use PORT, without the prefix",
    "WSFETCH_: is not a setting",
    "WSFETCH_X: is not a setting",
    "PORT: must be a whole number from 0 to 65535",
    'DENY_HOSTS: "a b" is not a rule',
    'DENY_HOSTS: "d e" is not a rule',
  ]);
});

Deno.test("formatSettings() lists every setting with its default, without Markdown", () => {
  const text = formatSettings();
  const names = [...text.matchAll(/^ {2}([A-Z_]+) \(default ([^)]+)\)\n {6}\S/gm)];
  const expected = SETTINGS.map((
    each,
  ) => [each.name, each.default === "" ? "empty" : each.default]);
  assertEquals(names.map(([, name, value]) => [name, value]), expected);
  assertEquals(text.includes("`"), false);
});
