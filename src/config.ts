/**
 * Every setting: its name, form, default and documentation, in one schema.
 *
 * @module
 */
import * as z from "zod";
import { type HostRule, parseHostRule } from "./policy/destination.ts";

const MAX_PORT = 65535;
// Deno's timers hold a signed 32-bit number of milliseconds.
const MAX_MS = 2_147_483_647;
// Deno's server takes no larger WebSocket frame; of a message in several frames it takes any size.
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
// V8 builds no string of 512 MiB, and JSON makes a body of control characters six times as long.
const MAX_BODY_BYTES = 64 * 1024 * 1024;

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
        const message = error instanceof Error ? error.message : String(error);
        context.addIssue({ code: "custom", message, input: text });
        return [];
      }
    });
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
  ALLOWED_ORIGINS: setting(
    "",
    "Pages that may connect beside the service's own: origins (`https://app.example.com`, " +
      "`https://*.example.com`), or `*` for every page",
    list(parseOrigin),
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
    "A streamed response that sends nothing for so long is ended",
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
  LOG_LEVEL: setting("info", `What is logged: ${quoteAll(LOG_LEVELS)}`, oneOf(LOG_LEVELS)),
  LOG_FORMAT: setting(
    "json",
    "`json`: a JSON line an event; `pretty`: for people",
    oneOf(["json", "pretty"]),
  ),
}).refine(({ REQUEST_TIMEOUT_MS, MAX_TIMEOUT_MS }) => REQUEST_TIMEOUT_MS <= MAX_TIMEOUT_MS, {
  path: ["REQUEST_TIMEOUT_MS"],
  error: "must not be above MAX_TIMEOUT_MS; set both",
  when: ({ value }) => hasTimeouts(value),
});

function hasTimeouts(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    "REQUEST_TIMEOUT_MS" in value && typeof value.REQUEST_TIMEOUT_MS === "number" &&
    "MAX_TIMEOUT_MS" in value && typeof value.MAX_TIMEOUT_MS === "number";
}

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
      ? []
      : error.issues.map(({ path, message }) => `${path[0]?.toString()}: ${message}`)),
  ];
  if (!success || problems.length > 0) throw new ConfigError(problems);
  return data;
}

/** Gives what `--help` prints about the settings. */
export function formatSettings(): string {
  return SETTINGS.map(({ name, default: text, description }) =>
    `  ${name} (default ${text === "" ? "empty" : text})\n      ${
      description.replaceAll("`", "")
    }\n`
  ).join("");
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
