import { assertEquals } from "@std/assert";
import { parseConfig } from "../../src/config/config.ts";
import { findProblems } from "./problems.ts";

Deno.test("findConflicts() finds a default timeout above the longest that a request may set", () => {
  const problem = "REQUEST_TIMEOUT_MS: must not be above MAX_TIMEOUT_MS; set both";
  assertEquals(findProblems({ REQUEST_TIMEOUT_MS: "300001" }), [problem]);
  assertEquals(findProblems({ MAX_TIMEOUT_MS: "29999" }), [problem]);
  assertEquals(parseConfig({ MAX_TIMEOUT_MS: "5", REQUEST_TIMEOUT_MS: "5" }).MAX_TIMEOUT_MS, 5);
});

const SECRET = "s3cr3t-".repeat(5);
const TOKENS = { AUTH_TOKENS: "alice:a-token" };
const NOT_ALONE = "has no effect without JWT_JWKS_URL or JWT_SECRET";

/** Settings, and how the one line about their conflict starts; empty: there is no conflict. */
const COMBINED: readonly (readonly [expected: string, ...envs: Record<string, string>[]])[] = [
  [
    "AUTH: everyone who can reach this service could use it; set AUTH_TOKENS, JWT_JWKS_URL or JWT_SECRET",
    ...["0.0.0.0", "::", "10.0.0.1", "wsfetch.example", "127.example.com", "localhost.example"].map(
      (HOST) => ({ HOST }),
    ),
    { DENO_DEPLOYMENT_ID: "x" },
    { DENO_DEPLOY: "1", HOST: "127.0.0.1" },
  ],
  [
    "",
    ...["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LocalHost"].map((HOST) => ({
      HOST,
    })),
    { HOST: "0.0.0.0", AUTH: "none" },
    { HOST: "0.0.0.0", ...TOKENS },
    { HOST: "0.0.0.0", JWT_SECRET: SECRET },
    { HOST: "0.0.0.0", JWT_JWKS_URL: "https://id.example/keys" },
    { DENO_DEPLOYMENT_ID: "x", AUTH: "none" },
    { JWT_JWKS_URL: "http://127.0.0.1:9/keys" },
    { JWT_JWKS_URL: "http://keycloak:8080/keys" },
    { JWT_SECRET: SECRET, JWT_ALGORITHMS: "HS256", JWT_ISSUER: "i", JWT_AUDIENCE: "a" },
    { LIMIT_REQUESTS_PER_SECOND: "1", LIMIT_REQUEST_BURST: "1" },
  ],
  ["AUTH: none cannot be combined with", { ...TOKENS, AUTH: "none" }, {
    JWT_SECRET: SECRET,
    AUTH: "none",
  }],
  ["JWT_SECRET: cannot be combined with", { JWT_SECRET: SECRET, JWT_JWKS_URL: "https://a.test/" }],
  [`JWT_ISSUER: ${NOT_ALONE}`, { JWT_ISSUER: "a" }],
  [`JWT_AUDIENCE: ${NOT_ALONE}`, { JWT_AUDIENCE: "a" }],
  [`JWT_ALGORITHMS: ${NOT_ALONE}`, { JWT_ALGORITHMS: "RS256" }],
  [
    'JWT_ALGORITHMS: "HS256" is wrong',
    { JWT_JWKS_URL: "https://a.test/", JWT_ALGORITHMS: "RS256,HS256" },
  ],
  [
    'JWT_ALGORITHMS: "none" is wrong',
    { JWT_JWKS_URL: "https://a.test/", JWT_ALGORITHMS: "none" },
    { JWT_SECRET: SECRET, JWT_ALGORITHMS: "none" },
  ],
  ['JWT_ALGORITHMS: "RS256" is wrong', { JWT_SECRET: SECRET, JWT_ALGORITHMS: "RS256" }],
  [
    "JWT_SECRET: The secret is too short",
    { JWT_SECRET: "s3cr3t" },
    { JWT_SECRET: SECRET, JWT_ALGORITHMS: "HS512" },
  ],
  [
    "WORKERS: must be 1 on Deno Deploy",
    { WORKERS: "2", DENO_DEPLOY: "1", AUTH: "none" },
    { WORKERS: "auto", DENO_SERVE_ADDRESS: "tcp:127.0.0.1:1", AUTH: "none" },
  ],
  ["LIMIT_REQUEST_BURST: has no effect without", { LIMIT_REQUEST_BURST: "1" }],
  ['AUTH_TOKENS: "alice" and "bob" have the same token', {
    AUTH_TOKENS: "alice:s3cr3t,bob:s3cr3t",
  }],
  ["AUTH_TOKENS: A token needs a name", { AUTH_TOKENS: "s3cr3t" }],
  ["AUTH_TOKENS: ", { AUTH_TOKENS: "alice:s3cr3t s3cr3t" }, { AUTH_TOKENS: "alice:sha256:s3cr3t" }],
];

for (const [expected, ...envs] of COMBINED) {
  for (const env of envs) {
    const name = JSON.stringify(env);
    Deno.test(`findConflicts() finds ${expected === "" ? "no" : "a"} conflict in ${name}`, () => {
      if (expected === "") return void parseConfig(env);
      const [problem = "", ...more] = findProblems(env);
      assertEquals([problem.slice(0, expected.length), more], [expected, []]);
      assertEquals(problem.includes("s3cr3t"), false, "no secret is quoted");
    });
  }
}
