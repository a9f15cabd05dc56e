/**
 * Every setting: its name, form, default and documentation, in one schema.
 *
 * @module
 */
import * as z from "zod";
import { defaultAlgorithms, type KeyKind, parseAlgorithms, parseSecret } from "./auth/jwt.ts";
import { isLoopbackHost } from "./auth/origin.ts";
import { parseTokenRule, refuseSharedTokens, type TokenRule } from "./auth/token.ts";
import { classifyAddress } from "./policy/address.ts";
import { type HostRule, isLocalName, parseHostRule, toDestination } from "./policy/destination.ts";

const MAX_PORT = 65535;
// Deno's timers hold a signed 32-bit number of milliseconds.
const MAX_MS = 2_147_483_647;
// Deno's server takes no larger WebSocket frame; of a message in several frames it takes any size.
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
// V8 builds no string of 512 MiB, and JSON makes a body of control characters six times as long.
const MAX_BODY_BYTES = 64 * 1024 * 1024;

const MAX_WORKERS = 256;
const WORKERS_FORM = `must be auto or a whole number from 1 to ${MAX_WORKERS}`;

const KIB = 1024;
const MIB = 1024 * 1024;

// Fetch refuses these whatever a client asks for (WHATWG Fetch, "forbidden method").
const FORBIDDEN_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

const LOG_LEVELS = ["debug", "info", "warn", "error", "off"] as const;

/** One setting: `text` is its default as it would stand in the environment. */
function setting<T extends z.ZodType<unknown, string>>(
  text: string,
  description: string,
  value: T,
): z.ZodPipe<z.ZodDefault<z.ZodString>, T> {
  return z.string().default(text).pipe(value).meta({ description, default: text });
}

function whole(min: number, max: number): z.ZodType<number, string> {
  const form = `must be a whole number from ${min} to ${max}`;
  return z.string().regex(/^\d{1,16}$/, { error: form, abort: true }).transform(Number)
    .refine((number) => number >= min && number <= max, { error: form, abort: true });
}

function list<T>(parse: (item: string) => T): z.ZodType<readonly T[], string> {
  return z.string().transform((text, context) => {
    const items = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
    return items.flatMap((item) => {
      try {
        return [parse(item)];
      } catch (error) {
        context.addIssue({ code: "custom", message: messageOf(error), input: text });
        return [];
      }
    });
  });
}

/** A list that counts as a whole. */
function wholeList<T>(
  parse: (item: string) => T,
  check: (items: readonly T[]) => void,
): z.ZodType<readonly T[], string> {
  return list(parse).superRefine((items, context) => {
    try {
      check(items);
    } catch (error) {
      context.addIssue({ code: "custom", message: messageOf(error), input: "" });
    }
  });
}

function oneOf<const T extends readonly string[]>(values: T): z.ZodType<T[number], string> {
  return z.enum(values, `must be one of ${values.join(", ")}`);
}

/** The settings by name. */
export const configSchema = z.object({
  HOST: setting(
    "127.0.0.1",
    "Address to listen on. `0.0.0.0`: every interface",
    z.string().min(1, "must be an address or a name"),
  ),
  PORT: setting("8000", "Port to listen on. `0`: any free one", whole(0, MAX_PORT)),
  WORKERS: setting(
    "1",
    "Threads that serve, each on a core of its own; more than one needs Linux. `auto`: as many as there " +
      "are cores",
    z.string().regex(/^(?:auto|\d{1,3})$/, { error: WORKERS_FORM, abort: true })
      .transform((text) => text === "auto" ? text : Number(text))
      .refine((count) => count === "auto" || count >= 1 && count <= MAX_WORKERS, WORKERS_FORM),
  ),
  ALLOW_HOSTS: setting(
    "public",
    "Where requests may go: `public` (any host whose every address is public, on the ports of " +
      "`ALLOW_PORTS`), hosts (`api.example.com`, `*.example.com`), addresses and ranges " +
      "(`10.0.0.0/8`, `[fd00::/8]`), these with `:port` or `:*` behind them if need be. Empty: nowhere",
    list<HostRule>(parseHostRule),
  ),
  DENY_HOSTS: setting(
    "",
    "Where requests may not go, in the same forms; wins over `ALLOW_HOSTS`",
    list<HostRule>(parseHostRule),
  ),
  ALLOW_PORTS: setting(
    "80,443",
    "The ports of the rules in `ALLOW_HOSTS` that name none",
    list(parsePort),
  ),
  ALLOW_METHODS: setting(
    "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS",
    "The methods that clients may use",
    list(parseMethod).refine((methods) => methods.length > 0, "must name at least one method"),
  ),
  HTTP_CLIENT: setting(
    "",
    "What makes requests to `http:` URLs. `direct`: connections of the service's own. `fetch`: " +
      "Deno's `fetch`, which makes all those to `https:`. Empty: `direct`, unless `HTTP_PROXY` or " +
      "`ALL_PROXY` is set, which `fetch` obeys. With OpenTelemetry on it is `fetch`",
    z.enum(["", "direct", "fetch"], "must be direct, fetch, or empty"),
  ),
  UPSTREAMS: setting(
    "",
    "Named upstreams, as JSON or as the path of a JSON file; read again on SIGHUP",
    z.string(),
  ),
  AUTH: setting(
    "",
    "`none`: no credential is asked for, wherever the service listens. Empty: credentials are asked " +
      "for when `AUTH_TOKENS`, `JWT_JWKS_URL` or `JWT_SECRET` is set, and one of them has to be " +
      "unless `HOST` is a loopback address",
    z.enum(["", "none"], "must be none, or empty"),
  ),
  AUTH_TOKENS: setting(
    "",
    "Tokens that are accepted: `name:token`, or `name:sha256:digest` with the SHA-256 digest of the " +
      "token in hexadecimal. The name is the identity",
    wholeList<TokenRule>(parseTokenRule, refuseSharedTokens),
  ),
  AUTH_GRACE_MS: setting(
    "30000",
    "When a credential expires, so long another is waited for; then the connection is closed with " +
      "4501 behind its last exchange",
    whole(0, MAX_MS),
  ),
  JWT_JWKS_URL: setting(
    "",
    "Where the keys are that sign accepted JWTs (a JSON Web Key Set). The claim `sub` is the identity",
    z.string().transform(parseJwksUrl),
  ),
  JWT_SECRET: setting("", "Instead of it: the secret that signs accepted JWTs", z.string()),
  JWT_ISSUER: setting("", "The `iss` that a JWT must have. Empty: any", z.string()),
  JWT_AUDIENCE: setting("", "An `aud` that a JWT must have. Empty: any", z.string()),
  JWT_ALGORITHMS: setting(
    "",
    "Accepted algorithms. Empty: every asymmetric one with `JWT_JWKS_URL`, `HS256` with `JWT_SECRET`",
    list(String),
  ),
  ALLOWED_ORIGINS: setting(
    "",
    "Pages that may connect beside the service's own: origins (`https://app.example.com`, " +
      "`https://*.example.com`), or `*` for every page",
    list(parseOrigin),
  ),
  TRUST_PROXY: setting(
    "0",
    "How many proxies of yours stand in front: so many entries of `X-Forwarded-For` are believed, from " +
      "the right",
    whole(0, 100),
  ),
  LIMIT_CONNECTIONS: setting(
    "0",
    "Connections of one identity at a time; where nobody is authenticated, of one address. `0`: no " +
      "limit, here and below",
    whole(0, 10_000_000),
  ),
  LIMIT_IN_FLIGHT: setting("0", "Exchanges of one identity at a time", whole(0, 10_000_000)),
  LIMIT_REQUESTS_PER_SECOND: setting("0", "Requests of one identity", whole(0, 10_000_000)),
  LIMIT_REQUEST_BURST: setting(
    "0",
    "Requests of one identity beyond that, within 10 seconds",
    whole(0, 10_000_000),
  ),
  LIMIT_BYTES_PER_MINUTE: setting(
    "0",
    "Bytes of response bodies to one identity. A streamed body is slowed down to it",
    whole(0, Number.MAX_SAFE_INTEGER),
  ),
  MAX_FRAME_BYTES: setting(
    String(MIB),
    "Largest frame from a client",
    whole(KIB, MAX_MESSAGE_BYTES),
  ),
  MAX_REQUEST_BYTES: setting(String(MIB), "Largest request body", whole(0, MAX_MESSAGE_BYTES)),
  MAX_RESPONSE_BYTES: setting(
    String(8 * MIB),
    "Largest response body, decoded",
    whole(0, MAX_BODY_BYTES),
  ),
  MAX_STREAM_BYTES: setting(
    String(Number.MAX_SAFE_INTEGER),
    "Largest streamed body, either way, decoded; the default is none to speak of",
    whole(0, Number.MAX_SAFE_INTEGER),
  ),
  WINDOW_BYTES: setting(
    String(256 * KIB),
    "Of a streamed request body, how much is taken before the destination has read it",
    whole(64 * KIB, MAX_MESSAGE_BYTES),
  ),
  MAX_IN_FLIGHT: setting("64", "Exchanges of one connection at a time", whole(1, 100_000)),
  MAX_CONNECTIONS: setting("10000", "Connections at a time", whole(1, 10_000_000)),
  REQUEST_TIMEOUT_MS: setting(
    "30000",
    "Time for a whole response, unless the request names another",
    whole(1, MAX_MS),
  ),
  MAX_TIMEOUT_MS: setting("300000", "The longest time that a request may name", whole(1, MAX_MS)),
  STREAM_IDLE_MS: setting(
    "300000",
    "A streamed response that sends nothing for so long, or whose client takes nothing, is ended",
    whole(1, MAX_MS),
  ),
  SEND_BUFFER_BYTES: setting(
    String(256 * KIB),
    "While more than this waits for a client to read it, its answers are held back",
    whole(KIB, MAX_BODY_BYTES),
  ),
  SEND_TIMEOUT_MS: setting(
    "30000",
    "A client that reads nothing for so long, while answers wait, is closed with 4029",
    whole(1, MAX_MS),
  ),
  DRAIN_MS: setting(
    "10000",
    "Time for exchanges in flight to finish after SIGTERM or SIGINT",
    whole(0, MAX_MS),
  ),
  CONSOLE: setting(
    "on",
    "`on`: the page at `/` sends requests and shows what comes; `off`: there is no such page",
    oneOf(["on", "off"]),
  ),
  METRICS: setting(
    "on",
    "`on`: `GET /metrics` tells what happened, in the text format of Prometheus, to those who may " +
      "connect; `off`: nothing is counted",
    oneOf(["on", "off"]),
  ),
  LOG_LEVEL: setting("info", `What is logged: ${quoteAll(LOG_LEVELS)}`, oneOf(LOG_LEVELS)),
  LOG_FORMAT: setting(
    "json",
    "`json`: a JSON line an event; `pretty`: for people",
    oneOf(["json", "pretty"]),
  ),
});

/** The settings, parsed; by the names that they have in the environment. */
export type Config = Readonly<z.output<typeof configSchema>>;

/** A setting as documentation shows it. */
export interface SettingDoc {
  readonly name: string;
  readonly default: string;
  /** Markdown. */
  readonly description: string;
}

/** The documentation of every setting, in the order of the schema. */
export const SETTINGS: readonly SettingDoc[] = Object.entries(configSchema.shape).map(
  ([name, schema]) => {
    const { default: text, description = "" } = schema.meta() ?? {};
    return { name, default: String(text), description };
  },
);

/** Settings that cannot be used. Each of `problems` is one line: the setting's name and what is wrong. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

const PREFIX = "WSFETCH_";
// With one of these set, as on Deno Deploy, HOST says nothing about who can connect.
const DEPLOY_VARIABLES = ["DENO_DEPLOYMENT_ID", "DENO_DEPLOY", "DENO_SERVE_ADDRESS"] as const;
// What Deno's fetch goes by for `http:` URLs, in either case.
const PROXY_VARIABLES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] as const;

/**
 * Gives the settings that an environment holds, with defaults for the rest.
 *
 * @param env Variables by name; those that are no setting are left alone, unless they begin with `WSFETCH_`.
 * @throws {ConfigError} A value is wrong, or a name that begins with `WSFETCH_` is unknown.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseConfig } from "./config.ts";
 *
 * assertEquals(parseConfig({ PORT: "8080" }).PORT, 8080);
 * ```
 */
export function parseConfig(env: Readonly<Record<string, string>>): Config {
  const { success, data, error } = configSchema.safeParse(env);
  const problems = [
    ...Object.keys(env).filter((name) => name.startsWith(PREFIX)).map(describeUnknown),
    ...(success
      ? findConflicts(data, DEPLOY_VARIABLES.some((name) => Object.hasOwn(env, name)))
      : error.issues.map(({ path, message }) => `${path[0]?.toString()}: ${message}`)),
  ];
  if (!success || problems.length > 0) throw new ConfigError(problems);
  const isProxied = data.HTTP_CLIENT === "" && PROXY_VARIABLES.some((name) => env[name]);
  return isProxied ? { ...data, HTTP_CLIENT: "fetch" } : data;
}

/** Gives what `--help` prints about the settings. */
export function formatSettings(): string {
  return SETTINGS.map(({ name, default: text, description }) =>
    `  ${name} (default ${text === "" ? "empty" : text})\n      ${
      description.replaceAll("`", "")
    }\n`
  ).join("");
}

/** Says whether clients have to bring a credential. */
export function hasAuthentication(
  { AUTH_TOKENS, JWT_JWKS_URL, JWT_SECRET }: Pick<
    Config,
    "AUTH_TOKENS" | "JWT_JWKS_URL" | "JWT_SECRET"
  >,
): boolean {
  return AUTH_TOKENS.length > 0 || JWT_JWKS_URL !== undefined || JWT_SECRET !== "";
}

/** What is wrong between settings of which each is right. */
function findConflicts(config: Config, isDeployed: boolean): readonly string[] {
  const isAuthenticating = hasAuthentication(config);
  const isExposed = isDeployed || !isLoopbackHost(config.HOST);
  return [
    ...(isDeployed && config.WORKERS !== 1
      ? ["WORKERS: must be 1 on Deno Deploy, and where DENO_SERVE_ADDRESS says where to listen"]
      : []),
    ...(config.REQUEST_TIMEOUT_MS > config.MAX_TIMEOUT_MS
      ? ["REQUEST_TIMEOUT_MS: must not be above MAX_TIMEOUT_MS; set both"]
      : []),
    ...(isExposed && !isAuthenticating && config.AUTH !== "none"
      ? [
        "AUTH: everyone who can reach this service could use it; set AUTH_TOKENS, JWT_JWKS_URL or " +
        "JWT_SECRET, or AUTH=none if that is meant",
      ]
      : []),
    ...(isAuthenticating && config.AUTH === "none"
      ? ["AUTH: none cannot stand beside AUTH_TOKENS, JWT_JWKS_URL or JWT_SECRET; leave one out"]
      : []),
    ...(config.LIMIT_REQUEST_BURST > 0 && config.LIMIT_REQUESTS_PER_SECOND === 0
      ? ["LIMIT_REQUEST_BURST: means something only with LIMIT_REQUESTS_PER_SECOND; set both"]
      : []),
    ...findJwtConflicts(config),
  ];
}

function findJwtConflicts(config: Config): readonly string[] {
  const { JWT_JWKS_URL, JWT_SECRET, JWT_ISSUER, JWT_AUDIENCE, JWT_ALGORITHMS } = config;
  if (JWT_JWKS_URL !== undefined && JWT_SECRET !== "") {
    return ["JWT_SECRET: cannot stand beside JWT_JWKS_URL; leave one out"];
  }
  if (JWT_JWKS_URL === undefined && JWT_SECRET === "") {
    const idle = Object.entries({ JWT_ISSUER, JWT_AUDIENCE, JWT_ALGORITHMS })
      .filter(([, value]) => value.length > 0);
    return idle.map(([name]) => `${name}: means something only with JWT_JWKS_URL or JWT_SECRET`);
  }
  const kind: KeyKind = JWT_SECRET === "" ? "jwks" : "secret";
  const algorithms = toAlgorithms(kind, config);
  try {
    parseAlgorithms(kind, algorithms);
  } catch (error) {
    return [`JWT_ALGORITHMS: ${messageOf(error)}`];
  }
  try {
    if (kind === "secret") parseSecret(JWT_SECRET, algorithms);
  } catch (error) {
    return [`JWT_SECRET: ${messageOf(error)}`];
  }
  return [];
}

/** Gives the algorithms of JWTs that are accepted. */
export function toAlgorithms(
  kind: KeyKind,
  { JWT_ALGORITHMS }: Pick<Config, "JWT_ALGORITHMS">,
): readonly string[] {
  return JWT_ALGORITHMS.length > 0 ? JWT_ALGORITHMS : defaultAlgorithms(kind);
}

function parseJwksUrl(text: string, context: z.RefinementCtx<string>): URL | undefined {
  if (text === "") return undefined;
  const url = URL.parse(text);
  if (url?.protocol === "https:" || url?.protocol === "http:" && isPrivateHost(url)) return url;
  context.addIssue({
    code: "custom",
    message: "must be an https URL; http only where the host is a private address or a local name",
    input: text,
  });
  return undefined;
}

/** Whoever could change the keys on their way could sign tokens. */
function isPrivateHost(url: URL): boolean {
  const { host, literal } = toDestination(url);
  return literal === undefined ? isLocalName(host) : classifyAddress(literal) !== "public";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function describeUnknown(name: string): string {
  const bare = name.slice(PREFIX.length);
  const hint = SETTINGS.some((known) => known.name === bare) ? `; the name is plain: ${bare}` : "";
  return `${name}: is not a setting${hint}`;
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= MAX_PORT) return port;
  throw new TypeError(`${JSON.stringify(text)} is not a port from 1 to ${MAX_PORT}`);
}

function parseMethod(text: string): string {
  const method = text.toUpperCase();
  if (/^[!#$%&'*+\-.^_`|~0-9A-Z]+$/.test(method) && !FORBIDDEN_METHODS.has(method)) return method;
  throw new TypeError(`${JSON.stringify(text)} is not a method that can be allowed`);
}

function parseOrigin(text: string): string {
  const example = text.replace(/:\/\/\*\.(?=[^.])/, "://x.");
  if (text === "*" || !example.includes("*") && URL.parse(example)?.origin === example) return text;
  throw new TypeError(
    `${JSON.stringify(text)} is not an origin; write one like https://app.example.com, ` +
      "https://*.example.com or *",
  );
}

function quoteAll(values: readonly string[]): string {
  return values.map((value) => `\`${value}\``).join(", ");
}
