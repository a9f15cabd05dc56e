import {
  assert,
  assertEquals,
  assertObjectMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { ConfigError } from "../../src/config_error.ts";
import {
  parseUpstreams,
  type UpstreamDefinition,
  type UpstreamSources,
} from "../../src/upstream/definition.ts";

const SOURCES: UpstreamSources = {
  env: (name) => name === "GITHUB_TOKEN" ? "ghp_abc" : undefined,
  readText(path): string {
    if (path === "/etc/upstreams.json") return '\ufeff{"files": "http://files.test"}\n';
    if (path === "/etc/broken.json") return '{"a": "hunter2';
    if (path === "/etc/list.json") return "[]";
    throw new Deno.errors.NotFound(`hunter2 ${path}`);
  },
};

const FULL = {
  baseUrl: "https://api.github.com/v3",
  headers: { Authorization: "Bearer ${env:GITHUB_TOKEN}", Accept: "application/json" },
  methods: ["get", "POST", "GET"],
  paths: ["/repos/*", "/users/:name"],
  identities: ["alice", "bob"],
  timeoutMs: 5000,
  maxInFlight: 16,
  retry: { attempts: 3, backoffMs: 50, maxBackoffMs: 1000 },
  breaker: { failures: 5, openMs: 5000 },
  health: "/zen?x=1",
};

function parse(upstreams: unknown): readonly UpstreamDefinition[] {
  return parseUpstreams(JSON.stringify(upstreams), SOURCES);
}

/** Parses a definition with a base URL and these fields. */
function parseOne(fields: Readonly<Record<string, unknown>>): UpstreamDefinition {
  const [definition] = parse({ a: { baseUrl: "https://a.test", ...fields } });
  if (definition === undefined) throw new Error("there is no definition");
  return definition;
}

function problemsOf(text: string): readonly string[] {
  return assertThrows(() => parseUpstreams(text, SOURCES), ConfigError).problems;
}

Deno.test("parseUpstreams() returns all fields of a definition", () => {
  const [{ baseUrl, paths = [], ...plain } = parseOne({}), ...rest] = parse({ github: FULL });
  assertEquals(rest, []);
  assertEquals(baseUrl.href, "https://api.github.com/v3");
  assertEquals(paths.map(({ pathname }) => pathname), ["/repos/*", "/users/:name"]);
  assertEquals(paths.map((path) => path.test({ pathname: "/repos/a/b" })), [true, false]);
  assertEquals(plain, {
    name: "github",
    headers: [["authorization", "Bearer ghp_abc"], ["accept", "application/json"]],
    route: {},
    secrets: ["ghp_abc", "Bearer ghp_abc"],
    methods: ["GET", "POST"],
    identities: ["alice", "bob"],
    timeoutMs: 5000,
    maxInFlight: 16,
    retry: { attempts: 3, backoffMs: 50, maxBackoffMs: 1000 },
    breaker: { failures: 5, openMs: 5000 },
    health: "/zen?x=1",
  });
});

Deno.test("parseUpstreams() takes a string as a base URL, and leaves out absent fields", () => {
  const baseUrl = new URL("http://a.test/");
  const expected = [{ name: "a", baseUrl, headers: [], route: {}, secrets: [] }];
  assertEquals(parse({ a: "http://a.test" }), expected);
  assertEquals(parse({ a: { baseUrl: "http://a.test" } }), expected);
});

Deno.test("parseUpstreams() keeps the order", () => {
  assertEquals(
    parse({ b: "http://b.test", a: "http://a.test" }).map(({ name }) => name),
    ["b", "a"],
  );
});

Deno.test("parseUpstreams() returns no upstreams for a blank text or an empty object", () => {
  for (const text of ["", " \n", "{}", " {} "]) assertEquals(parseUpstreams(text, SOURCES), []);
});

Deno.test("parseUpstreams() reads a file", () => {
  const [files, ...rest] = parseUpstreams(" /etc/upstreams.json\n", SOURCES);
  assertEquals([files?.name, files?.baseUrl.href, rest.length], ["files", "http://files.test/", 0]);
});

Deno.test("parseUpstreams() fills in the defaults of retries and breakers", () => {
  assertEquals(parseOne({ retry: { attempts: 2 } }).retry, {
    attempts: 2,
    backoffMs: 100,
    maxBackoffMs: 2000,
  });
  assertEquals(parseOne({ retry: { attempts: 2, backoffMs: 3000 } }).retry, {
    attempts: 2,
    backoffMs: 3000,
    maxBackoffMs: 3000,
  });
  assertEquals(parseOne({ breaker: { failures: 1 } }).breaker, { failures: 1, openMs: 10_000 });
});

const TEXTS = [
  { text: "[]", problem: 'the file "[]" cannot be read (NotFound)' },
  { text: "/gone.json", problem: 'the file "/gone.json" cannot be read (NotFound)' },
  { text: '["hunter2"]', problem: "must be a JSON object, or the path of a file that holds one" },
  {
    text: `'${"hunter2".repeat(100)}`,
    problem: "must be a JSON object, or the path of a file that holds one",
  },
  { text: "/etc/list.json", problem: "must be a JSON object of upstreams by name" },
  { text: "/etc/broken.json", problem: "is not valid JSON at position 14 (line 1 column 15)" },
  { text: '{"a": "hunter2', problem: "is not valid JSON at position 14 (line 1 column 15)" },
  { text: '{"a": hunter2}', problem: "is not valid JSON" },
  {
    text: `{"${"hunter2".repeat(20)}": hunter2 at position 1 (line 1 column 1)}`,
    problem: "is not valid JSON",
  },
];

for (const { text, problem } of TEXTS) {
  Deno.test(`parseUpstreams() refuses the text ${text.slice(0, 20)}`, () => {
    const error = assertThrows(() => parseUpstreams(text, SOURCES), ConfigError);
    assertEquals(error.problems, [`UPSTREAMS: ${problem}`]);
    assertStrictEquals(error.message, `UPSTREAMS: ${problem}`);
    assertStrictEquals(error.cause, undefined);
  });
}

const NAME_FORM =
  "must have a name of 1 to 63 lower-case letters, digits and -, with a letter first";
const SCHEME = "must not have the name of a URL scheme";
const NAMES = [
  { name: "", problem: `an upstream ${NAME_FORM}` },
  { name: "Github", problem: `Github ${NAME_FORM}` },
  { name: "1a", problem: `1a ${NAME_FORM}` },
  { name: "a_b", problem: `a_b ${NAME_FORM}` },
  { name: "__proto__", problem: `__proto__ ${NAME_FORM}` },
  { name: "a:b", problem: `an upstream ${NAME_FORM}` },
  { name: "a\n", problem: `an upstream ${NAME_FORM}` },
  { name: "a".repeat(64), problem: `an upstream ${NAME_FORM}` },
  ..."http https ws wss file data blob ftp javascript about mailto urn node npm jsr".split(" ")
    .map((name) => ({ name, problem: `${name} ${SCHEME}` })),
];

for (const { name, problem } of NAMES) {
  Deno.test(`parseUpstreams() refuses the name ${JSON.stringify(name)}`, () => {
    assertEquals(problemsOf(`{${JSON.stringify(name)}: "https://a.test"}`), [
      `UPSTREAMS: ${problem}`,
    ]);
  });
}

Deno.test("parseUpstreams() takes the longest name, and any with a digit or -", () => {
  for (const name of ["a".repeat(63), "a-1", "httpx"]) {
    assertEquals(parse({ [name]: "https://a.test" })[0]?.name, name);
  }
});

const ABSOLUTE = "must be an absolute URL like https://api.example.com/v1";
const USER = "must not contain a user name or password; put them into headers";
const QUERY = "must have neither a query nor a fragment";
const PLAIN = "must have a plain path: no dot segments, double slashes or encoded slashes";
const BASE_URLS = [
  ...[
    "",
    "api.example.com",
    "/v1",
    "ftp://a.test",
    "file:///etc",
    "https:",
    "https://",
    "https:a.test",
    "https:///a.test",
    "https://a b/",
    " https://a.test",
    "https://a.test:0/",
    "https://a.test:99999/",
    "https://?x",
    "${env:GITHUB_TOKEN}",
  ].map((text) => ({ text, problem: ABSOLUTE })),
  ...["https://u:hunter2@a.test/", "https://u@a.test", "https://@a.test", "https://:@a.test/"].map(
    (text) => ({ text, problem: USER }),
  ),
  ...["https://a.test?", "https://a.test/?x", "https://a.test/#", "https://a.test#x"].map(
    (text) => ({ text, problem: QUERY }),
  ),
  ...[
    "https://a.test//",
    "https://a.test//v1",
    "https://a.test/a//b",
    "https://a.test/a//",
    "https://a.test\\v1",
    "https://a.test/v1\\x",
    "https://a.test/a/../b",
    "https://a.test/.",
    "https://a.test/a/%2e%2E/b",
    "https://a.test/a%2Eb",
    "https://a.test/a%2fb",
    "https://a.test/a%5cb",
    "https://a.test/a%00",
    "https://a.test/..;/b",
    "https://a.test/%252e%252e/b",
    "https://a.test/\uff0e\uff0e/b",
    "https://a.test/v1 ",
    "https://a.test/v\t1",
    "https://a.te\nst/v1",
  ].map((text) => ({ text, problem: PLAIN })),
];

for (const { text, problem } of BASE_URLS) {
  Deno.test(`parseUpstreams() refuses the base URL ${JSON.stringify(text)}`, () => {
    const expected = [`UPSTREAMS: a.baseUrl ${problem}`];
    assertEquals(problemsOf(JSON.stringify({ a: { baseUrl: text } })), expected);
    assertEquals(problemsOf(JSON.stringify({ a: text })), expected);
  });
}

for (
  const [text, href] of [
    ["HTTPS://A.test", "https://a.test/"],
    ["http://127.0.0.1:8080/base/path/", "http://127.0.0.1:8080/base/path/"],
    ["http://[::1]:8080", "http://[::1]:8080/"],
    ["https://a.test:443/a.b/..c/@d;e=1", "https://a.test/a.b/..c/@d;e=1"],
    ["https://b\u00fccher.test/caf\u00e9", "https://xn--bcher-kva.test/caf%C3%A9"],
  ] as const
) {
  Deno.test(`parseUpstreams() takes the base URL ${text}`, () => {
    assertEquals(parse({ a: text })[0]?.baseUrl.href, href);
  });
}

const whole = (min: number, max: number): string => `must be a whole number from ${min} to ${max}`;
const METHOD = "must be a method that can be allowed, like GET";
const PATTERN = "must be the pattern of a path, like /repos/*";
const COMPILED = "must be a valid pattern of URLPattern, like /repos/:owner/*";
const HEALTH = "must be a path below the base URL, like /health";
const MAX_MS = 2_147_483_647;
interface FieldCase {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly problem: string;
}

const FIELDS: readonly FieldCase[] = [
  { fields: { baseUrl: 1 }, problem: "baseUrl must be a string" },
  { fields: { baseUrl: undefined }, problem: "baseUrl is missing" },
  { fields: { retri: {} }, problem: "retri is not a known field" },
  { fields: { toString: 1 }, problem: "toString is not a known field" },
  { fields: { "Bearer hunter2": 1 }, problem: "(an unusual name) is not a known field" },
  { fields: { headers: null }, problem: "headers must be an object" },
  { fields: { headers: { Host: "x" } }, problem: "headers.host cannot be set" },
  {
    fields: { headers: { "x-key": "${env:GONE}" } },
    problem: "headers.x-key needs the environment variable GONE, which is not set",
  },
  {
    fields: { headers: { "x: hunter2": "" } },
    problem: "headers.(an unusual name) is not the name of a header field",
  },
  { fields: { methods: "GET" }, problem: "methods must be a list" },
  { fields: { methods: [] }, problem: "methods must not be empty" },
  { fields: { methods: [1] }, problem: "methods[0] must be a string" },
  { fields: { methods: ["GET", "G T"] }, problem: `methods[1] ${METHOD}` },
  { fields: { methods: [""] }, problem: `methods[0] ${METHOD}` },
  { fields: { methods: ["connect"] }, problem: `methods[0] ${METHOD}` },
  { fields: { methods: ["TRACE"] }, problem: `methods[0] ${METHOD}` },
  { fields: { paths: [] }, problem: "paths must not be empty" },
  { fields: { paths: "/x" }, problem: "paths must be a list" },
  { fields: { paths: ["*"] }, problem: `paths[0] ${PATTERN}` },
  { fields: { paths: [""] }, problem: `paths[0] ${PATTERN}` },
  { fields: { paths: ["https://a.test/x"] }, problem: `paths[0] ${PATTERN}` },
  { fields: { paths: ["/x", "/a/../b"] }, problem: `paths[1] ${PATTERN}` },
  { fields: { paths: ["/("] }, problem: `paths[0] ${COMPILED}` },
  { fields: { paths: ["/:"] }, problem: `paths[0] ${COMPILED}` },
  { fields: { identities: [] }, problem: "identities must not be empty" },
  { fields: { identities: [""] }, problem: "identities[0] must not be empty" },
  { fields: { identities: [null] }, problem: "identities[0] must be a string" },
  ...[0, 1.5, MAX_MS + 1, "5", null].map((timeoutMs) => ({
    fields: { timeoutMs },
    problem: `timeoutMs ${whole(1, MAX_MS)}`,
  })),
  { fields: { maxInFlight: 0 }, problem: `maxInFlight ${whole(1, 100_000)}` },
  { fields: { maxInFlight: 100_001 }, problem: `maxInFlight ${whole(1, 100_000)}` },
  { fields: { retry: 3 }, problem: "retry must be an object" },
  { fields: { retry: {} }, problem: "retry.attempts is missing" },
  { fields: { retry: { attempts: 1 } }, problem: `retry.attempts ${whole(2, 10)}` },
  { fields: { retry: { attempts: 11 } }, problem: `retry.attempts ${whole(2, 10)}` },
  {
    fields: { retry: { attempts: 2, backoffMs: 0 } },
    problem: `retry.backoffMs ${whole(1, MAX_MS)}`,
  },
  {
    fields: { retry: { attempts: 2, maxBackoffMs: 99 } },
    problem: "retry must not have a backoffMs above maxBackoffMs",
  },
  { fields: { retry: { attempts: 2, on: [] } }, problem: "retry.on is not a known field" },
  { fields: { breaker: true }, problem: "breaker must be an object" },
  { fields: { breaker: {} }, problem: "breaker.failures is missing" },
  { fields: { breaker: { failures: 0 } }, problem: `breaker.failures ${whole(1, 1000)}` },
  { fields: { breaker: { failures: 1001 } }, problem: `breaker.failures ${whole(1, 1000)}` },
  {
    fields: { breaker: { failures: 1, openMs: 99 } },
    problem: `breaker.openMs ${whole(100, MAX_MS)}`,
  },
  { fields: { health: "/x" }, problem: "health has no effect without breaker; add one" },
  { fields: { breaker: { failures: 1 }, health: "x" }, problem: `health ${HEALTH}` },
  { fields: { breaker: { failures: 1 }, health: "/../x" }, problem: `health ${HEALTH}` },
  { fields: { breaker: { failures: 1 }, health: 1 }, problem: "health must be a string" },
];

for (const { fields, problem } of FIELDS) {
  Deno.test(`parseUpstreams() refuses ${JSON.stringify(fields)}`, () => {
    const [first = "", ...rest] = problemsOf(
      JSON.stringify({ a: { baseUrl: "https://a.test", ...fields } }),
    );
    assertEquals(rest, []);
    assert(first.startsWith(`UPSTREAMS: a.${problem}`), first);
  });
}

for (const value of [null, 1, true, []]) {
  Deno.test(`parseUpstreams() refuses ${JSON.stringify(value)} for an upstream`, () => {
    assertEquals(problemsOf(JSON.stringify({ a: value })), [
      "UPSTREAMS: a must be an object, or a base URL",
    ]);
  });
}

Deno.test("parseUpstreams() takes the minimum and the maximum of every number", () => {
  for (
    const fields of [
      { timeoutMs: 1, maxInFlight: 1, retry: { attempts: 2, backoffMs: 1, maxBackoffMs: 1 } },
      { timeoutMs: MAX_MS, maxInFlight: 100_000, retry: { attempts: 10, backoffMs: MAX_MS } },
      { breaker: { failures: 1, openMs: 100 } },
      { breaker: { failures: 1000, openMs: MAX_MS } },
    ]
  ) assertObjectMatch({ ...parseOne(fields) }, fields);
});

Deno.test("parseUpstreams() reports all problems together, without any value", () => {
  const error = assertThrows(
    () =>
      parse({
        Odd: { baseUrl: "hunter2", hunter: "hunter2", headers: { host: "hunter2", te: "hunter2" } },
        b: {
          headers: { "x-a": "hunter2\0", "x-b": "hunter2${" },
          methods: ["hunter2 ", 2],
          paths: ["hunter2"],
          retry: { attempts: "hunter2" },
          health: "hunter2",
        },
        c: "https://hunter2@c.test",
        fine: "https://fine.test",
      }),
    ConfigError,
  );
  assertEquals(error.problems.map((problem: string) => problem.split(" ")[1]), [
    "Odd",
    "Odd.baseUrl",
    "Odd.hunter",
    "Odd.headers.host",
    "Odd.headers.te",
    "b.baseUrl",
    "b.methods[0]",
    "b.methods[1]",
    "b.paths[0]",
    "b.retry.attempts",
    "b.health",
    "b.headers.x-a",
    "b.headers.x-b",
    "b.health",
    "c.baseUrl",
  ]);
  assertStrictEquals(error.message, error.problems.join("\n"));
  assert(!error.message.includes("hunter2"), error.message);
  assert(!error.message.includes("fine"), error.message);
});
