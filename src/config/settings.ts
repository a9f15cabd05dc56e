/**
 * The table of all settings: name, default, documentation and form of each.
 *
 * @module
 */
import * as z from "zod";
import { parseTokenRule, refuseSharedTokens, type TokenRule } from "../auth/token.ts";
import { parseProxy } from "../http/proxies.ts";
import { type HostRule, parseHostRule } from "../policy/destination.ts";
import { LOG_LEVELS } from "../telemetry/logger.ts";
import {
  anyText,
  autoOrWhole,
  list,
  oneOf,
  oneOfOrEmpty,
  parsedBy,
  setting,
  whole,
  wholeOrEmpty,
} from "./forms.ts";
import { MAX_PORT, parseJwksUrl, parseMethod, parseOrigin, parsePort } from "./values.ts";

// Deno's timers take a signed 32-bit number of milliseconds.
const MAX_MS = 2_147_483_647;
// Deno's server accepts no larger WebSocket frame, but messages of any size in several frames.
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
// V8 creates no string of 512 MiB, and a body of control characters is six times as long in JSON.
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const MAX_COUNT = 10_000_000;
const MAX_WORKERS = 256;

const KIB = 1024;
const MIB = 1024 * 1024;

/** The settings by name. */
export const configSchema = z.object({
  HOST: setting(
    "127.0.0.1",
    "Address to listen on. `0.0.0.0` listens on every interface",
    z.string().min(1, "must be an address or a name"),
  ),
  PORT: setting("8000", "Port to listen on. `0` chooses a free port", whole(0, MAX_PORT)),
  WORKERS: setting(
    "1",
    "Number of threads that serve connections; more than 1 needs Linux. `auto` starts one for each CPU core",
    autoOrWhole(1, MAX_WORKERS),
  ),
  ALLOW_HOSTS: setting(
    "public",
    "Destinations that requests may reach: `public` (every host whose addresses are all public, on the " +
      "ports in `ALLOW_PORTS`), hosts (`api.example.com`, `*.example.com`), addresses and ranges " +
      "(`10.0.0.0/8`, `[fd00::/8]`), each optionally followed by `:port` or `:*`. Empty: named " +
      "upstreams only",
    list<HostRule>(parseHostRule),
  ),
  DENY_HOSTS: setting(
    "",
    "Destinations that requests may not reach, in the same forms. Takes precedence over `ALLOW_HOSTS`",
    list<HostRule>(parseHostRule),
  ),
  ALLOW_PORTS: setting(
    "80,443",
    "Ports for the rules in `ALLOW_HOSTS` that name no port",
    list(parsePort),
  ),
  ALLOW_METHODS: setting(
    "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS",
    "Methods that clients may use",
    list(parseMethod, refuseNoMethods),
  ),
  HTTP_CLIENT: setting(
    "",
    "How requests are made. `direct`: with HTTP/1.1 over the service's own TCP and TLS connections. `fetch`: " +
      "with Deno's `fetch`, which also speaks HTTP/2. Empty: `direct`, except `fetch` on Deno Deploy. Requests " +
      "through a proxy are always made with `fetch`",
    oneOfOrEmpty(["direct", "fetch"]),
  ),
  CONNECT_TIMEOUT_MS: setting(
    "10000",
    "Time to connect to a destination, TLS handshake included",
    whole(1, MAX_MS),
  ),
  HOST_CONNECTIONS: setting(
    "256",
    "Connections to one host for `https:` URLs; further requests wait for one that becomes free. A quarter is " +
      "kept for other identities than the one with the most. Not with `fetch`",
    whole(1, 65_535),
  ),
  HTTP_PROXY: setting(
    "",
    "Proxy that makes the requests to `http:` URLs: `http://proxy.example:3128`, or with `https://` or " +
      "`socks5://`; a user and password may stand before the host. Also written `http_proxy`",
    parsedBy(parseProxy),
  ),
  HTTPS_PROXY: setting(
    "",
    "Proxy that makes the connections to `https:` URLs. Also written `https_proxy`",
    parsedBy(parseProxy),
  ),
  ALL_PROXY: setting(
    "",
    "Proxy for the URLs without a proxy of their own. Also written `all_proxy`",
    parsedBy(parseProxy),
  ),
  NO_PROXY: setting(
    "",
    "Hosts that are requested without a proxy: names in lower case, each with its subdomains; addresses and " +
      "ranges (`10.0.0.0/8`); `*` for all names. Without ports. Also written `no_proxy`",
    anyText(),
  ),
  UPSTREAMS: setting(
    "",
    "Named upstreams: JSON, or the path of a JSON file. Read again on SIGHUP",
    anyText(),
  ),
  AUTH: setting(
    "",
    "`none`: clients need no credential, whatever `HOST` is. Empty: clients need a credential if " +
      "`AUTH_TOKENS`, `JWT_JWKS_URL` or `JWT_SECRET` is set; one of these must be set unless `HOST` is a " +
      "loopback address",
    oneOfOrEmpty(["none"]),
  ),
  AUTH_TOKENS: setting(
    "",
    "Tokens that clients may use: `name:token`, or `name:sha256:digest` with the token's SHA-256 digest in " +
      "hexadecimal. The name becomes the client's identity",
    list<TokenRule>(parseTokenRule, refuseSharedTokens),
  ),
  AUTH_GRACE_MS: setting(
    "30000",
    "How long an expired credential may be renewed; then the connection closes with code 4501 once running " +
      "requests finish",
    whole(0, MAX_MS),
  ),
  JWT_JWKS_URL: setting(
    "",
    "URL of the JSON Web Key Set with the keys of the JWTs that clients may use. A JWT's `sub` becomes the " +
      "client's identity",
    parsedBy(parseJwksUrl),
  ),
  JWT_SECRET: setting(
    "",
    "Secret that signs the JWTs that clients may use, instead of the keys at `JWT_JWKS_URL`",
    anyText(),
  ),
  JWT_ISSUER: setting("", "The `iss` that a JWT must have. Empty: any", anyText()),
  JWT_AUDIENCE: setting("", "The audience that a JWT's `aud` must include. Empty: any", anyText()),
  JWT_ALGORITHMS: setting(
    "",
    "Algorithms that may sign JWTs. Empty: every asymmetric algorithm with `JWT_JWKS_URL`, `HS256` with " +
      "`JWT_SECRET`",
    list(String),
  ),
  ALLOWED_ORIGINS: setting(
    "",
    "Origins whose pages may connect, in addition to the service's own: `https://app.example.com`, " +
      "`https://*.example.com`, or `*` for every page",
    list(parseOrigin),
  ),
  TRUST_PROXY: setting(
    "0",
    "Number of your own proxies in front of the service. The client's address is that many entries from the " +
      "right in `X-Forwarded-For`. `0`: the address of the TCP connection",
    whole(0, 100),
  ),
  LIMIT_CONNECTIONS: setting(
    "auto",
    "Open connections of one identity, or of one address where clients need no credential. `auto`: a " +
      "quarter of `MAX_CONNECTIONS`. `0` means no limit in every `LIMIT_` setting",
    autoOrWhole(0, MAX_COUNT),
  ),
  LIMIT_IN_FLIGHT: setting(
    "0",
    "Exchanges of one identity that run at the same time",
    whole(0, MAX_COUNT),
  ),
  LIMIT_REQUESTS_PER_SECOND: setting(
    "0",
    "Requests of one identity per second",
    whole(0, MAX_COUNT),
  ),
  LIMIT_REQUEST_BURST: setting(
    "0",
    "Additional requests of one identity within 10 seconds",
    whole(0, MAX_COUNT),
  ),
  LIMIT_BYTES_PER_MINUTE: setting(
    "0",
    "Bytes of response bodies to one identity per minute. Streamed bodies are slowed down to this rate",
    whole(0, Number.MAX_SAFE_INTEGER),
  ),
  MEMORY_BYTES: setting(
    "",
    "Most memory that the process should have; the README says what of it may be kept for clients. Empty: three " +
      "quarters of what the machine or the container has, at most what V8 gives to its heaps",
    wholeOrEmpty(MIB, Number.MAX_SAFE_INTEGER),
  ),
  MAX_FRAME_BYTES: setting(
    String(MIB),
    "Largest frame that a client may send",
    whole(KIB, MAX_MESSAGE_BYTES),
  ),
  MAX_REQUEST_BYTES: setting(
    String(MIB),
    "Largest request body that is not streamed",
    whole(0, MAX_MESSAGE_BYTES),
  ),
  MAX_RESPONSE_BYTES: setting(
    String(8 * MIB),
    "Largest response body that is not streamed, decoded",
    whole(0, MAX_BODY_BYTES),
  ),
  MAX_STREAM_BYTES: setting(
    String(Number.MAX_SAFE_INTEGER),
    "Largest streamed body of a request or a response, decoded. Default: practically unlimited",
    whole(0, Number.MAX_SAFE_INTEGER),
  ),
  WINDOW_BYTES: setting(
    String(256 * KIB),
    "How much of a streamed request body a client may send before the destination reads it",
    whole(64 * KIB, MAX_MESSAGE_BYTES),
  ),
  MAX_IN_FLIGHT: setting(
    "64",
    "Exchanges of one connection that run at the same time",
    whole(1, 100_000),
  ),
  MAX_CONNECTIONS: setting("10000", "Open connections of all clients", whole(1, MAX_COUNT)),
  REQUEST_TIMEOUT_MS: setting(
    "30000",
    "Time for a complete response, unless the request sets a timeout",
    whole(1, MAX_MS),
  ),
  MAX_TIMEOUT_MS: setting("300000", "Longest timeout that a request may set", whole(1, MAX_MS)),
  STREAM_IDLE_MS: setting(
    "300000",
    "How long a destination may send nothing of a streamed response, or a client accept nothing, before the " +
      "exchange fails",
    whole(1, MAX_MS),
  ),
  SEND_BUFFER_BYTES: setting(
    String(256 * KIB),
    "Bytes that may wait for a client to read them; while there are more, further frames are held back",
    whole(KIB, MAX_BODY_BYTES),
  ),
  SEND_TIMEOUT_MS: setting(
    "30000",
    "How long a client may read nothing while frames wait before its connection closes with code 4029",
    whole(1, MAX_MS),
  ),
  DRAIN_MS: setting(
    "10000",
    "Time for running exchanges to finish after SIGTERM or SIGINT",
    whole(0, MAX_MS),
  ),
  CONSOLE: setting(
    "on",
    "`on`: serves the console, a page at `/` that sends requests and shows their responses. `off`: serves " +
      "no such page",
    oneOf(["on", "off"]),
  ),
  METRICS: setting(
    "on",
    "`on`: serves metrics in Prometheus' text format at `/metrics`, to clients that may connect. `off`: " +
      "collects no metrics",
    oneOf(["on", "off"]),
  ),
  LOG_LEVEL: setting(
    "info",
    `Lowest level that is logged: ${LOG_LEVELS.map((level) => `\`${level}\``).join(", ")}`,
    oneOf(LOG_LEVELS),
  ),
  LOG_FORMAT: setting(
    "json",
    "`json`: one JSON object per line. `pretty`: text for people",
    oneOf(["json", "pretty"]),
  ),
});

/** The parsed settings, by the names that they have in the environment. */
export type Config = Readonly<z.output<typeof configSchema>>;

function refuseNoMethods(methods: readonly string[]): void {
  if (methods.length === 0) throw new TypeError("must name at least one method");
}
