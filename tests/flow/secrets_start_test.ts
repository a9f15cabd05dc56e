import { assert, assertEquals } from "@std/assert";
import { startCommand } from "../helpers/process.ts";
import { assertSilent, CONFIGURED, SHORT } from "../helpers/secrets.ts";

const WRONG: readonly (readonly [name: string, settings: Record<string, string>])[] = [
  ["a token without a name", { AUTH_TOKENS: CONFIGURED.alice }],
  ["a token with a space", { AUTH_TOKENS: `alice:${CONFIGURED.alice} x` }],
  ["a token for a digest", { AUTH_TOKENS: `alice:sha256:${CONFIGURED.alice}` }],
  ["a digest without a name", { AUTH_TOKENS: `sha256:${CONFIGURED.carolDigest}` }],
  ["a digest that is too long", { AUTH_TOKENS: `alice:sha256:${CONFIGURED.carolDigest}0` }],
  ["an odd name", { AUTH_TOKENS: `al ice:${CONFIGURED.alice}` }],
  ["a token of two", { AUTH_TOKENS: `alice:${CONFIGURED.alice},bob:${CONFIGURED.alice}` }],
  ["no authentication beside tokens", { AUTH: "none", AUTH_TOKENS: `alice:${CONFIGURED.alice}` }],
  ["a JWT secret that is too short", { JWT_SECRET: CONFIGURED.jwt.slice(0, 20) }],
  ["a JWT secret with other algorithms", { JWT_SECRET: CONFIGURED.jwt, JWT_ALGORITHMS: "RS256" }],
  ["a JWT secret beside a key set", {
    JWT_SECRET: CONFIGURED.jwt,
    JWT_JWKS_URL: `https://me:${CONFIGURED.password}@example.com/`,
  }],
  ["a key set over http", { JWT_JWKS_URL: `http://me:${CONFIGURED.password}@example.com/` }],
  ["a key set that is no URL", { JWT_JWKS_URL: `me:${CONFIGURED.password}@example.com` }],
  ["a setting with a prefix", { WSFETCH_AUTH_TOKENS: `alice:${CONFIGURED.alice}` }],
  ["upstreams with a value that is not quoted", { UPSTREAMS: `{"api": ${SHORT}}` }],
  ["upstreams that are no JSON", { UPSTREAMS: `{"api": "${CONFIGURED.inline}` }],
  ["upstreams that are a list", { UPSTREAMS: JSON.stringify([{ x: CONFIGURED.inline }]) }],
  ["a base URL with a password", {
    UPSTREAMS: JSON.stringify({ api: `https://me:${CONFIGURED.password}@example.com` }),
  }],
  ["a base URL with a query", {
    UPSTREAMS: JSON.stringify({ api: `https://example.com/?key=${CONFIGURED.inline}` }),
  }],
  ["a header value with an odd reference", {
    UPSTREAMS: JSON.stringify({
      api: { baseUrl: "https://example.com", headers: { x: `\${${CONFIGURED.inline}}` } },
    }),
  }],
  ["a header value with a control character", {
    UPSTREAM_KEY: `${CONFIGURED.env}\u0001`,
    UPSTREAMS: JSON.stringify({
      api: { baseUrl: "https://example.com", headers: { x: "Bearer ${env:UPSTREAM_KEY}" } },
    }),
  }],
  ["header fields that are a text", {
    UPSTREAMS: JSON.stringify({
      api: { baseUrl: "https://example.com", headers: CONFIGURED.inline },
    }),
  }],
  ["a header field that is a list", {
    UPSTREAMS: JSON.stringify({
      api: { baseUrl: "https://example.com", headers: { x: [CONFIGURED.inline] } },
    }),
  }],
  ["wrong fields", {
    UPSTREAMS: JSON.stringify({
      api: {
        baseUrl: "https://example.com",
        [CONFIGURED.inline]: 1,
        timeoutMs: CONFIGURED.env,
        health: CONFIGURED.file,
        methods: [CONFIGURED.inline],
        paths: [CONFIGURED.inline, `/(${CONFIGURED.inline}`],
      },
      [CONFIGURED.password]: {},
    }),
  }],
];

Deno.test("a start with wrong settings ends with 2, and quotes no secret", async () => {
  for (const [name, settings] of WRONG) {
    const { code, stdout, stderr } = await startCommand({ PORT: "0", ...settings }).output();
    const text = `${new TextDecoder().decode(stdout)}${new TextDecoder().decode(stderr)}`;
    assertEquals(code, 2, `${name}: ${text}`);
    assert(/^[A-Z_]+: \S/.test(text), `${name}: ${text}`);
    const configured = { ...CONFIGURED, jwt: CONFIGURED.jwt.slice(0, 20), SHORT };
    assertSilent(text, configured, name);
  }
});
