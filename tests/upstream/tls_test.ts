import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../src/config_error.ts";
import { parseUpstreams, type UpstreamSources } from "../../src/upstream/definition.ts";
import { parseTls } from "../../src/upstream/tls.ts";

const folder = new URL("../helpers/certificates/", import.meta.url);
const read = (name: string): string => Deno.readTextFileSync(new URL(name, folder));
const CA = read("ca.pem");
const CERT = read("localhost.pem");
const KEY = read("localhost.key");
const OTHER_KEY = read("faulty/server.key");

// What no message may contain: lines of the key, and a value that is not PEM.
const SECRET = "hunter2-hunter2";
const KEY_LINE = KEY.split("\n")[1] ?? "";

const VARIABLES: Readonly<Record<string, string>> = {
  CA_PEM: CA,
  KEY_PEM: KEY,
  KEY_PATH: "/run/tls.key",
  NAME: "tls",
  SECRET,
  EMPTY: "",
};
const FILES: Readonly<Record<string, string>> = {
  "/run/ca.pem": CA,
  "/run/tls.pem": CERT,
  "/run/tls.key": KEY,
  "/run/chain.pem": CERT + CA,
  "/run/windows.pem": CERT.replaceAll("\n", "\r\n"),
  "/run/described.pem": `Certificate of the service\n${CERT}`,
  "/run/path-of-key": "/run/tls.key\n",
  "/run/empty": "",
  "/run/secret": SECRET,
};
const SOURCES: UpstreamSources = {
  env: (name) => VARIABLES[name],
  readText(path): string {
    const text = FILES[path];
    if (text === undefined) throw new Deno.errors.NotFound(`${SECRET} ${path}`);
    return text;
  },
};
const PATHS = { cert: "/run/tls.pem", key: "/run/tls.key" };

const FORMS: readonly {
  readonly name: string;
  readonly input: unknown;
  readonly expected: ReturnType<typeof parseTls>["tls"];
}[] = [
  { name: "no TLS", input: undefined, expected: undefined },
  { name: "an authority by its path", input: { ca: "/run/ca.pem" }, expected: { ca: CA } },
  { name: "an authority as text", input: { ca: CA }, expected: { ca: CA } },
  { name: "an authority from a variable", input: { ca: "${env:CA_PEM}" }, expected: { ca: CA } },
  {
    name: "an authority from a file",
    input: { ca: "${file:/run/ca.pem}" },
    expected: { ca: CA.trimEnd() },
  },
  { name: "a certificate and its key", input: PATHS, expected: { cert: CERT, key: KEY } },
  {
    name: "all three",
    input: { ca: "/run/ca.pem", ...PATHS },
    expected: { ca: CA, cert: CERT, key: KEY },
  },
  {
    name: "a key from a variable",
    input: { ...PATHS, key: "${env:KEY_PEM}" },
    expected: { cert: CERT, key: KEY },
  },
  {
    name: "a path from a variable",
    input: { ...PATHS, key: "${env:KEY_PATH}" },
    expected: { cert: CERT, key: KEY },
  },
  {
    name: "a part of a path from a variable",
    input: { ...PATHS, key: "/run/${env:NAME}.key" },
    expected: { cert: CERT, key: KEY },
  },
  {
    name: "a path from a file",
    input: { ...PATHS, key: "${file:/run/path-of-key}" },
    expected: { cert: CERT, key: KEY },
  },
  {
    name: "a certificate with its chain",
    input: { ...PATHS, cert: "/run/chain.pem" },
    expected: { cert: CERT + CA, key: KEY },
  },
  {
    name: "a file with CRLF",
    input: { ...PATHS, cert: "/run/windows.pem" },
    expected: { cert: CERT.replaceAll("\n", "\r\n"), key: KEY },
  },
  {
    name: "text before the certificate",
    input: { ...PATHS, cert: "/run/described.pem" },
    expected: { cert: `Certificate of the service\n${CERT}`, key: KEY },
  },
];

for (const { name, input, expected } of FORMS) {
  Deno.test(`parseTls() takes ${name}`, () => {
    const { tls, problems } = parseTls(input, SOURCES);
    assertEquals(problems, []);
    assertEquals(tls, expected);
  });
}

const CERTIFICATE = "must be a certificate in PEM, or the path of a file that holds one";
const PRIVATE_KEY =
  "must be an unencrypted private key in PEM, or the path of a file that holds one";
const NOT_FOUND = "is a file that cannot be read (NotFound)";
const PATH = "must be the path of a PEM file";

const PROBLEMS: readonly {
  readonly name: string;
  readonly input: unknown;
  /** The member and the message. */
  readonly expected: readonly (readonly [member: string, message: string])[];
}[] = [
  ...[null, "/run/ca.pem", ["/run/ca.pem"], 1, true].map((input) => ({
    name: JSON.stringify(input),
    input,
    expected: [["", "must be an object"]] as const,
  })),
  ...[null, 1, true, "", " \n", ["/run/ca.pem"], { path: "/run/ca.pem" }].map((ca) => ({
    name: `${JSON.stringify(ca)} as authority`,
    input: { ca },
    expected: [["ca", PATH]] as const,
  })),
  {
    name: "an unknown member",
    input: { ca: CA, pfx: SECRET },
    expected: [["pfx", "is not a known field"]],
  },
  { name: "a file that is not there", input: { ca: `/${SECRET}` }, expected: [["ca", NOT_FOUND]] },
  { name: "a value that is neither", input: { ca: SECRET }, expected: [["ca", NOT_FOUND]] },
  {
    name: "a variable that is neither",
    input: { ...PATHS, key: "${env:SECRET}" },
    expected: [["key", NOT_FOUND]],
  },
  {
    name: "a variable that is not set",
    input: { ca: "${env:MISSING}" },
    expected: [["ca", "needs the environment variable MISSING, which is not set"]],
  },
  {
    name: "an empty variable",
    input: { ca: "${env:EMPTY}" },
    expected: [["ca", "needs the environment variable EMPTY, which is empty"]],
  },
  {
    name: "a reference to a file that is not there",
    input: { ca: "${file:/run/missing}" },
    expected: [["ca", 'needs the file "/run/missing", which cannot be read']],
  },
  {
    name: "an odd reference",
    input: { ca: `\${${SECRET}}` },
    expected: [["ca", 'has a "${" that starts neither ${env:NAME} nor ${file:/path}']],
  },
  { name: "an empty file", input: { ca: "/run/empty" }, expected: [["ca", CERTIFICATE]] },
  {
    name: "a file without PEM",
    input: { ...PATHS, key: "/run/secret" },
    expected: [["key", PRIVATE_KEY]],
  },
  { name: "a key as authority", input: { ca: KEY }, expected: [["ca", CERTIFICATE]] },
  {
    name: "a key as certificate",
    input: { ...PATHS, cert: "/run/tls.key" },
    expected: [["cert", CERTIFICATE]],
  },
  {
    name: "a certificate as key",
    input: { ...PATHS, key: "/run/tls.pem" },
    expected: [["key", PRIVATE_KEY]],
  },
  {
    name: "a certificate that is cut off",
    input: { ca: CA.slice(0, 200) },
    expected: [["ca", CERTIFICATE]],
  },
  {
    name: "PEM with other content",
    input: { ...PATHS, key: `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----` },
    expected: [["key", PRIVATE_KEY]],
  },
  {
    name: "an encrypted key",
    input: {
      ...PATHS,
      key: KEY.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
    },
    expected: [["key", PRIVATE_KEY]],
  },
  {
    name: "a certificate without a key",
    input: { cert: PATHS.cert },
    expected: [["key", "is missing; cert needs it"]],
  },
  {
    name: "a key without a certificate",
    input: { key: PATHS.key },
    expected: [["cert", "is missing; key needs it"]],
  },
  {
    name: "the key of another certificate",
    input: { ...PATHS, key: OTHER_KEY },
    expected: [["key", "is not the key of cert"]],
  },
  {
    name: "several problems",
    input: { ca: SECRET, cert: KEY, key: CERT, [SECRET.slice(0, 3)]: 1 },
    expected: [
      ["ca", NOT_FOUND],
      ["cert", CERTIFICATE],
      ["key", PRIVATE_KEY],
      ["hun", "is not a known field"],
    ],
  },
];

for (const { name, input, expected } of PROBLEMS) {
  Deno.test(`parseTls() refuses ${name}, and shows no value`, () => {
    const { tls, problems } = parseTls(input, SOURCES);
    assertEquals(tls, undefined);
    assertEquals(problems.map(({ path, message }) => [path.join("."), message]), expected);
    for (const { message } of problems) {
      assert(![SECRET, KEY_LINE].some((secret) => message.includes(secret)), message);
    }
  });
}

function problemsOf(definition: Readonly<Record<string, unknown>>): readonly string[] {
  const text = JSON.stringify({ a: definition });
  return assertThrows(() => parseUpstreams(text, SOURCES), ConfigError).problems;
}

Deno.test("parseUpstreams() tells where in a definition TLS is wrong", () => {
  const baseUrl = "https://a.test";
  assertEquals(problemsOf({ baseUrl, tls: { ca: SECRET } }), [
    `UPSTREAMS: a.tls.ca ${NOT_FOUND}`,
  ]);
  assertEquals(problemsOf({ baseUrl, tls: [] }), ["UPSTREAMS: a.tls must be an object"]);
});

Deno.test("parseUpstreams() refuses TLS with an http: base URL", () => {
  assertEquals(problemsOf({ baseUrl: "http://a.test", tls: { ca: CA } }), [
    "UPSTREAMS: a.tls has no effect with an http: base URL; use https:",
  ]);
});

Deno.test("parseUpstreams() returns TLS and the client as the route of an upstream", () => {
  const of = (definition: Readonly<Record<string, unknown>>): unknown =>
    parseUpstreams(JSON.stringify({ a: definition }), SOURCES)[0]?.route;
  const baseUrl = "https://a.test";
  assertEquals(of({ baseUrl, tls: PATHS, client: "fetch" }), {
    client: "fetch",
    tls: { cert: CERT, key: KEY },
  });
  assertEquals(of({ baseUrl, tls: { ca: CA } }), { tls: { ca: CA } });
  assertEquals(problemsOf({ baseUrl, client: "direct" }), [
    'UPSTREAMS: a.client must be "fetch"',
  ]);
});
