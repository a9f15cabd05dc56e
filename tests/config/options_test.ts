import { assertEquals } from "@std/assert";
import { parseConfig } from "../../src/config/config.ts";
import {
  toAcceptedCredentials,
  toExchangeLimits,
  toHelloLimits,
  toLimiterOptions,
} from "../../src/config/options.ts";

const SECRET = "a-shared-secret-of-thirty-two-bytes-or-more";
const JWKS = "https://id.example/keys";

const CREDENTIALS: readonly {
  readonly name: string;
  readonly env: Record<string, string>;
  readonly expected: unknown;
}[] = [
  { name: "no setting", env: {}, expected: undefined },
  { name: "a secret", env: { JWT_SECRET: SECRET }, expected: { secret: SECRET } },
  { name: "a key set", env: { JWT_JWKS_URL: JWKS }, expected: { jwksUrl: new URL(JWKS) } },
  {
    name: "every setting of JWTs",
    env: {
      JWT_JWKS_URL: JWKS,
      JWT_ISSUER: "issuer",
      JWT_AUDIENCE: "audience",
      JWT_ALGORITHMS: "RS256,ES256",
    },
    expected: {
      jwksUrl: new URL(JWKS),
      issuer: "issuer",
      audience: "audience",
      algorithms: ["RS256", "ES256"],
    },
  },
];

for (const { name, env, expected } of CREDENTIALS) {
  Deno.test(`toAcceptedCredentials() returns the JWTs that ${name} accepts`, () => {
    const config = parseConfig({ AUTH_TOKENS: "alice:token", ...env });
    const { tokens, jwt } = toAcceptedCredentials(config);
    assertEquals(tokens, config.AUTH_TOKENS);
    assertEquals(jwt, expected);
  });
}

Deno.test("toLimiterOptions() returns the limits of an identity", () => {
  const config = parseConfig({
    LIMIT_CONNECTIONS: "1",
    LIMIT_IN_FLIGHT: "2",
    LIMIT_REQUESTS_PER_SECOND: "3",
    LIMIT_REQUEST_BURST: "4",
    LIMIT_BYTES_PER_MINUTE: "5",
  });
  assertEquals(toLimiterOptions(config), {
    maxConnections: 1,
    maxInFlight: 2,
    requestsPerSecond: 3,
    requestBurst: 4,
    bytesPerMinute: 5,
  });
});

Deno.test("toExchangeLimits() returns the limits of an exchange", () => {
  const config = parseConfig({
    ALLOW_METHODS: "GET,PURGE",
    MAX_REQUEST_BYTES: "1",
    MAX_RESPONSE_BYTES: "2",
    MAX_STREAM_BYTES: "3",
    STREAM_IDLE_MS: "4",
    REQUEST_TIMEOUT_MS: "5",
    MAX_TIMEOUT_MS: "6",
  });
  assertEquals(toExchangeLimits(config), {
    allowMethods: ["GET", "PURGE"],
    maxRequestBytes: 1,
    maxResponseBytes: 2,
    maxStreamBytes: 3,
    streamIdleMs: 4,
    timeoutMs: 5,
    maxTimeoutMs: 6,
    windowBytes: 262_144,
  });
});

const HELLO = {
  maxFrameBytes: 1_048_576,
  maxInFlight: 64,
  maxRequestBytes: 1_048_576,
  maxResponseBytes: 8_388_608,
  maxTimeoutMs: 300_000,
  windowBytes: 262_144,
};

const HELLOS = [
  {
    name: "no limit of an identity by default but that of connections",
    env: {},
    expected: { ...HELLO, maxConnections: 2500 },
  },
  {
    name: "no limit of connections if it is 0",
    env: { LIMIT_CONNECTIONS: "0" },
    expected: HELLO,
  },
  {
    name: "a quarter of all connections, but at least one",
    env: { MAX_CONNECTIONS: "3" },
    expected: { ...HELLO, maxConnections: 1 },
  },
  {
    name: "every limit of an identity that is set",
    env: {
      LIMIT_CONNECTIONS: "1",
      LIMIT_IN_FLIGHT: "2",
      LIMIT_REQUESTS_PER_SECOND: "3",
      LIMIT_REQUEST_BURST: "4",
      LIMIT_BYTES_PER_MINUTE: "5",
    },
    expected: {
      ...HELLO,
      maxInFlight: 2,
      maxConnections: 1,
      requestsPerSecond: 3,
      requestBurst: 4,
      bytesPerMinute: 5,
    },
  },
  {
    name: "the smaller of the limits of exchanges at a time",
    env: { MAX_IN_FLIGHT: "7", LIMIT_IN_FLIGHT: "8" },
    expected: { ...HELLO, maxInFlight: 7, maxConnections: 2500 },
  },
];

for (const { name, env, expected } of HELLOS) {
  Deno.test(`toHelloLimits() returns ${name}`, () => {
    assertEquals<unknown>(toHelloLimits(parseConfig(env)), expected);
  });
}
